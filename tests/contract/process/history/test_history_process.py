"""The history of the real process: killed, on a full disk, beside another service."""

import contextlib
import json
import random
import resource
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from dstack_backend.adapters.sqlite_history import FILE, read_history
from dstack_backend.domain.history import HistoryError
from dstack_backend.testing.simulated_dstack import Remote
from tests.contract.process.service import Service, wait_until

Serve = Callable[..., Service]
LONGEST_ANSWER = 1.0
LONGEST_STOP = 3.0
KILLS = 20

WRITER = """
import os, sys
from datetime import UTC, datetime
from pathlib import Path
from dstack_backend.adapters.sqlite_history import SqliteHistory
from dstack_backend.domain import Status
from dstack_backend.domain.history import HistoryEntry

store, last = SqliteHistory(Path(sys.argv[1])), None
for last in store.load().entries:
    pass
while True:
    now, number = datetime.now(UTC), last.number if last else 0
    pair = [
        HistoryEntry(
            at=now, before=None, after=Status.AVAILABLE, reason=None, message=f"{n}", number=n
        )
        for n in (number + 1, number + 2)
    ]
    store.append(pair, now, last)
    last = pair[-1]
    os.write(1, f"{last.number}\\n".encode())
"""


def messages(folder: Path) -> list[str]:
    """Return the messages in the file, in the order of writing."""
    return [entry.message for entry in read_history(folder).entries]


def statuses(folder: Path) -> Sequence[str | None]:
    """Return the statuses in the file, in the order of writing; none while it is created."""
    with contextlib.suppress(HistoryError):
        return [entry.after or entry.gap for entry in read_history(folder).entries]
    return []


def history_of(service: Service) -> Any:
    """Return the entries at `/history`."""
    return service.ask("/history").json()["entries"]


def test_kill_9_loses_nothing_that_was_written(tmp_path: Path) -> None:
    """At any moment, again and again on one file: all entries are there, and no half write."""
    chance = random.Random(9)  # noqa: S311 - when to kill is no secret
    for _ in range(KILLS):
        child = subprocess.Popen(
            [sys.executable, "-c", WRITER, str(tmp_path)], stdout=subprocess.PIPE
        )
        assert child.stdout is not None
        reported = [child.stdout.readline()]
        time.sleep(chance.uniform(0, 0.05))
        child.kill()
        reported += child.stdout.read().splitlines()
        child.wait()
        child.stdout.close()
        found = messages(tmp_path)
        assert found == [str(number) for number in range(1, len(found) + 1)]
        assert len(found) % 2 == 0, "both entries of a pair, or neither"
        assert len(found) >= int(reported[-1])
    assert list(tmp_path.glob("*corrupt*")) == []


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_time_between_two_runs_is_a_gap(
    serve: Serve, dstack: Remote, tmp_path: Path, how: signal.Signals
) -> None:
    """After a clean stop it starts at the stop; after `kill -9`, at the last sign of life."""
    data = tmp_path / "data"
    settings = {"DSTACK_URL": dstack.url, "HISTORY": "on", "DATA_DIR": str(data)}
    first = serve(**settings)
    wait_until(lambda: statuses(data) == ["available"])
    ended = time.time()
    first.end(how)
    second = serve(**settings)
    wait_until(lambda: len(history_of(second)) == 3)
    up, gap, before = history_of(second)
    assert [each["after"] for each in (before, gap, up)] == ["available", None, "available"]
    assert [each["gap"] for each in (before, gap, up)] == [None, "stopped", None]
    wait_until(lambda: len(statuses(data)) == 3)
    (at,) = [each.at for each in read_history(data).entries if each.after is None]
    if how == signal.SIGTERM:
        assert ended - 0.01 <= at.timestamp() <= ended + LONGEST_STOP
    else:
        assert ended - 10 <= at.timestamp() <= ended


def test_full_disk_loses_nothing(serve: Serve, dstack: Remote, tmp_path: Path) -> None:
    """Checks and answers go on, one warning is logged, and once there is room all is saved."""
    data = tmp_path / "data"
    service = serve(DSTACK_URL=dstack.url, CHECK_INTERVAL="0.2", HISTORY="on", DATA_DIR=str(data))
    wait_until(lambda: statuses(data) == ["available"])
    _, limit = resource.prlimit(service.process.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(service.process.pid, resource.RLIMIT_FSIZE, (4096, limit))
    for _ in range(2):
        dstack.crash()
        service.wait_for("connection_refused")
        dstack.revive()
        service.wait_for(None)
    assert len(history_of(service)) == 5
    assert statuses(data) == ["available"]
    resource.prlimit(service.process.pid, resource.RLIMIT_FSIZE, (limit, limit))
    dstack.crash()
    service.wait_for("connection_refused")
    wait_until(lambda: statuses(data) == ["available", "unavailable"] * 3)
    wait_until(lambda: "the history is saved again" in service.log)
    assert service.log.count("the history cannot be saved") == 1


def test_removed_file_is_written_again(serve: Serve, dstack: Remote, tmp_path: Path) -> None:
    """The folder is deleted while the service runs: with the next change all is on disk again."""
    data = tmp_path / "data"
    service = serve(DSTACK_URL=dstack.url, CHECK_INTERVAL="0.2", HISTORY="on", DATA_DIR=str(data))
    wait_until(lambda: statuses(data) == ["available"])
    shutil.rmtree(data)
    dstack.crash()
    service.wait_for("connection_refused")
    wait_until(lambda: statuses(data) == ["available", "unavailable"])
    assert service.log.count("the history file was changed") == 1


def test_locked_file_delays_no_check_no_answer_and_no_end(
    serve: Serve, dstack: Remote, tmp_path: Path
) -> None:
    """Another process holds it; changes of that time are in `/history`."""
    data = tmp_path / "data"
    service = serve(DSTACK_URL=dstack.url, CHECK_INTERVAL="0.2", HISTORY="on", DATA_DIR=str(data))
    wait_until(lambda: statuses(data) == ["available"])
    with closing(sqlite3.connect(data / FILE, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        dstack.crash()
        service.wait_for("connection_refused")
        for path in ("/health", "/history", "/uptime"):
            started = time.monotonic()
            service.ask(path)
            assert time.monotonic() - started < LONGEST_ANSWER
        assert [each["after"] for each in history_of(service)] == ["unavailable", "available"]
        code, took = service.end()
    assert code == 0
    assert took < LONGEST_STOP


def test_unusable_folder_is_a_warning_with_a_remedy(
    serve: Serve, dstack: Remote, tmp_path: Path
) -> None:
    """The service answers, with the entries since its start."""
    (tmp_path / "file").touch()
    service = serve(DSTACK_URL=dstack.url, HISTORY="on", DATA_DIR=str(tmp_path / "file" / "data"))
    service.wait_for(None)
    assert len(history_of(service)) == 1
    wait_until(lambda: "cannot be saved" in service.log)
    (line,) = [line for line in service.log.splitlines() if "WARNING" in line]
    assert "DATA_DIR cannot be used (not a directory)" in line
    assert "HISTORY=off" in line


def test_second_service_on_the_folder_warns_and_writes_nothing(
    serve: Serve, dstack: Remote, tmp_path: Path
) -> None:
    """It answers, with the entries since its start; the history of the first one stays whole."""
    data = tmp_path / "data"
    settings = {"DSTACK_URL": dstack.url, "HISTORY": "on", "DATA_DIR": str(data)}
    first = serve(**settings)
    wait_until(lambda: statuses(data) == ["available"])
    second = serve(**settings)
    wait_until(lambda: "another dstack-backend writes there" in second.log)
    wait_until(lambda: len(history_of(second)) == 1)
    assert "WARNING" not in first.log
    second.end()
    assert statuses(data) == ["available"]


def test_history_off_writes_nothing(serve: Serve, dstack: Remote, tmp_path: Path) -> None:
    """The history is in memory, and no folder is created."""
    data = tmp_path / "data"
    service = serve(DSTACK_URL=dstack.url, HISTORY="off", DATA_DIR=str(data))
    wait_until(lambda: history_of(service))
    assert json.loads(service.ask("/uptime").body)["windows"][0]["up_percent"] == 100.0
    assert service.end()[0] == 0
    assert not data.exists()
    assert "WARNING" not in service.log
