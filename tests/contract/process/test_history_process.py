"""The history of the real process: killed, on a full disk, on a disk that hangs, beside another."""

import contextlib
import json
import os
import random
import resource
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

from dstack_backend.adapters.sqlite_history import FILE, SqliteReader
from dstack_backend.domain.history import HistoryError
from dstack_backend.testing.simulated_dstack import Remote
from tests.contract.process.service import Service, free_port, wait_until

Serve = Callable[..., Service]
LONGEST_STOP = 3.0
KILLS = 20

WRITER = """
import os, sys
from datetime import UTC, datetime
from pathlib import Path
from dstack_backend.adapters.sqlite_history import SqliteHistory
from dstack_backend.domain import Status
from dstack_backend.domain.history import HistoryEntry

history, number = SqliteHistory(Path(sys.argv[1])), int(sys.argv[2])
while True:
    now = datetime.now(UTC)
    pair = [
        HistoryEntry(at=now, before=None, after=Status.AVAILABLE, reason=None, sentence=f"{n}")
        for n in (number, number + 1)
    ]
    history.append(pair, now)
    number += 2
    os.write(1, f"{number}\\n".encode())
"""

HANGING = """
import os, threading
from dependency_injector import providers
from dstack_backend.app.container import Container
from dstack_backend.app.server.serve import run
from dstack_backend.app.config.settings import load

class Hanging:
    def __getattr__(self, name):
        return lambda *_, **__: threading.Event().wait()

settings = load(os.environ, {})
container = Container(settings=settings)
container.open_history.override(providers.Object(Hanging))
run(settings, container)
"""


def written(folder: Path) -> list[str]:
    """The sentences in the file, in the order of writing."""
    return [entry.message for entry in SqliteReader(folder).latest(1_000_000)][::-1]


def statuses(folder: Path) -> Sequence[str | None]:
    """The statuses in the file, in the order of writing; none while it is being made."""
    with contextlib.suppress(HistoryError):
        return [entry.after for entry in SqliteReader(folder).latest(1000)][::-1]
    return []


def history_of(service: Service) -> Any:
    """What it answers."""
    return service.ask("/history").json()["entries"]


def test_nothing_that_was_written_is_lost_by_kill_9_at_any_moment(tmp_path: Path) -> None:
    """Again and again on one file: all that was reported is there, in order, and no half write."""
    chance = random.Random(9)  # noqa: S311 - when to kill is no secret
    number = 0
    for _ in range(KILLS):
        child = subprocess.Popen(
            [sys.executable, "-c", WRITER, str(tmp_path), str(number)], stdout=subprocess.PIPE
        )
        assert child.stdout is not None
        reported = [child.stdout.readline()]
        time.sleep(chance.uniform(0, 0.05))
        child.kill()
        reported += child.stdout.read().splitlines()
        child.wait()
        child.stdout.close()
        found = written(tmp_path)
        assert found == [str(each) for each in range(len(found))]
        assert len(found) % 2 == 0  # both of a pair, or neither
        assert len(found) >= int(reported[-1])
        number = len(found)
    assert list(tmp_path.glob("*corrupt*")) == []


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_the_time_between_two_runs_is_a_gap(
    serve: Serve, dstack: Remote, tmp_path: Path, how: signal.Signals
) -> None:
    """After a clean stop it begins at the stop; after `kill -9`, at the last sign of life."""
    data = tmp_path / "data"
    given = {"DSTACK_URL": dstack.url, "HISTORY": "on", "DATA_DIR": str(data)}
    first = serve(**given)
    wait_until(lambda: history_of(first))
    time.sleep(0.3)
    ended = time.time()
    first.end(how)
    second = serve(**given)
    wait_until(lambda: len(history_of(second)) == 3)
    up, gap, before = history_of(second)
    assert [each["after"] for each in (before, gap, up)] == ["available", None, "available"]
    (at,) = [each.at for each in SqliteReader(data).latest(10) if each.after is None]
    if how == signal.SIGTERM:
        assert ended - 0.01 <= at.timestamp() <= ended + LONGEST_STOP
    else:
        assert ended - 10 <= at.timestamp() <= ended
    assert gap["sentence"].startswith("Not running")


def test_a_full_disk_loses_nothing_and_hinders_nobody(
    serve: Serve, dstack: Remote, tmp_path: Path
) -> None:
    """Checks and answers go on, the log says it once, and once there is room all is written."""
    data = tmp_path / "data"
    service = serve(DSTACK_URL=dstack.url, CHECK_INTERVAL="0.2", HISTORY="on", DATA_DIR=str(data))
    wait_until(lambda: statuses(data) == ["available"])
    _, most = resource.prlimit(service.process.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(service.process.pid, resource.RLIMIT_FSIZE, (4096, most))
    for _ in range(2):
        dstack.crash()
        service.wait_for("connection_refused")
        dstack.revive()
        service.wait_for(None)
    assert len(history_of(service)) == 5
    assert statuses(data) == ["available"]
    resource.prlimit(service.process.pid, resource.RLIMIT_FSIZE, (most, most))
    dstack.crash()
    service.wait_for("connection_refused")
    expected = ["available", "unavailable"] * 3
    wait_until(lambda: statuses(data) == expected)
    assert service.log.count("the history cannot be written") == 1
    assert service.log.count("the history is written again") == 1


def test_a_file_that_somebody_else_holds_delays_no_check_no_answer_and_no_end(
    serve: Serve, dstack: Remote, tmp_path: Path
) -> None:
    """The changes of that time are there afterwards."""
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
            assert time.monotonic() - started < 1.0
        assert [each["after"] for each in history_of(service)] == ["unavailable", "available"]
        code, took = service.end()
    assert code == 0
    assert took < LONGEST_STOP


def test_a_disk_that_hangs_delays_no_check_no_answer_and_no_end(
    dstack: Remote, tmp_path: Path
) -> None:
    """Each call to the store of this process never returns."""
    port = free_port()
    log = tmp_path / "log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-c", HANGING],
            env={
                "PATH": os.environ["PATH"],
                "LISTEN_ADDR": f"127.0.0.1:{port}",
                "DSTACK_URL": dstack.url,
                "CHECK_INTERVAL": "0.2",
            },
            stdout=output,
            stderr=output,
        )
    try:
        wait_until(lambda: "available: " in log.read_text())
        dstack.crash()
        wait_until(lambda: "unavailable (connection_refused)" in log.read_text())
        dstack.revive()
        wait_until(lambda: log.read_text().count(" available: ") == 2)
        process.terminate()
        started = time.monotonic()
        assert process.wait(10) == 0
        assert time.monotonic() - started < LONGEST_STOP
    finally:
        process.kill()
        process.wait()


def test_a_folder_that_cannot_be_used_is_a_warning_with_a_way_out(
    serve: Serve, dstack: Remote, tmp_path: Path
) -> None:
    """The service serves, and tells what happened since its start."""
    (tmp_path / "file").touch()
    service = serve(DSTACK_URL=dstack.url, HISTORY="on", DATA_DIR=str(tmp_path / "file" / "data"))
    service.wait_for(None)
    assert len(history_of(service)) == 1
    wait_until(lambda: "cannot be written" in service.log)
    (line,) = [line for line in service.log.splitlines() if "WARNING" in line]
    assert "DATA_DIR cannot be used (not a directory)" in line
    assert "HISTORY=off" in line


def test_a_second_service_on_the_same_folder_warns_and_writes_nothing_there(
    serve: Serve, dstack: Remote, tmp_path: Path
) -> None:
    """It serves, and tells what happened since its start; the first one's history stays whole."""
    data = tmp_path / "data"
    given = {"DSTACK_URL": dstack.url, "HISTORY": "on", "DATA_DIR": str(data)}
    first = serve(**given)
    wait_until(lambda: history_of(first))
    second = serve(**given)
    wait_until(lambda: "another dstack-backend writes there" in second.log)
    assert len(history_of(second)) == 1
    assert "WARNING" not in first.log
    second.end()
    assert statuses(data) == ["available"]


def test_without_a_history_nothing_is_written(serve: Serve, dstack: Remote, tmp_path: Path) -> None:
    """`HISTORY=off` keeps it in memory, and no folder is made."""
    data = tmp_path / "data"
    service = serve(DSTACK_URL=dstack.url, HISTORY="off", DATA_DIR=str(data))
    wait_until(lambda: history_of(service))
    assert json.loads(service.ask("/uptime").body)["windows"][0]["up_percent"] == 100.0
    assert service.end()[0] == 0
    assert not data.exists()
    assert "WARNING" not in service.log
