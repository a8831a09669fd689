"""A disk that hangs: the real process answers, checks and ends as if it did not.

A lease makes the kernel block `open` of a file until the lease is released: to the process that
opens it, the disk hangs.
"""

import fcntl
import os
import signal
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path

import pytest

from dstack_backend.adapters.sqlite_history import FILE, read_history
from dstack_backend.domain.history import HistoryError
from dstack_backend.testing.simulated_dstack import Remote
from tests.contract.process.service import Service, wait_until

Serve = Callable[..., Service]
LONGEST_ANSWER = 1.0
LONGEST_STOP = 3.0
LOCK = "history.lock"


@contextmanager
def hanging(path: Path) -> Generator[Callable[[], bool]]:
    """Put a file whose opening hangs at a path; yield a check whether a process waits for it."""
    new = path.with_suffix(".new")
    before = signal.signal(signal.SIGIO, signal.SIG_IGN)  # the kernel's request to release it
    descriptor = os.open(new, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        try:
            fcntl.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_WRLCK)
        except OSError as exc:
            pytest.skip(f"NOT TESTED: a disk that hangs; no leases in {path.parent}: {exc}")
        new.rename(path)
        yield lambda: fcntl.fcntl(descriptor, fcntl.F_GETLEASE) != fcntl.F_WRLCK
        fcntl.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_UNLCK)
    finally:
        os.close(descriptor)
        signal.signal(signal.SIGIO, before)


def saved(folder: Path) -> list[str | None]:
    """Return the statuses and gaps in the file; none while it is created."""
    try:
        return [entry.after or entry.gap for entry in read_history(folder).entries]
    except HistoryError:
        return []


def answer_at_once(service: Service) -> list[str | None]:
    """Assert that each path answers in time; return the statuses at `/history`, in order."""
    for path in ("/health", "/status", "/uptime", "/", "/history"):
        started = time.monotonic()
        answer = service.ask(path)
        assert time.monotonic() - started < LONGEST_ANSWER, path
        assert answer.code == (503 if path == "/health" else 200), path
    entries = answer.json()["entries"]
    return [entry["after"] or entry["gap"] for entry in reversed(entries)]


def test_disk_that_hangs_at_the_start_delays_nothing(
    serve: Serve, dstack: Remote, tmp_path: Path
) -> None:
    """Opening the store hangs; once it does not, all entries are saved."""
    data = tmp_path / "data"
    data.mkdir()
    with hanging(data / LOCK) as is_waited_for:
        service = serve(
            DSTACK_URL=dstack.url, CHECK_INTERVAL="0.2", HISTORY="on", DATA_DIR=str(data)
        )
        service.wait_for(None)
        wait_until(is_waited_for)
        dstack.crash()
        service.wait_for("connection_refused")
        assert answer_at_once(service) == ["available", "unavailable"]
        assert not (data / FILE).exists(), "it still hangs"
    wait_until(lambda: saved(data) == ["available", "unavailable"])
    assert service.end()[0] == 0


def test_disk_that_begins_to_hang_delays_nothing(
    serve: Serve, dstack: Remote, tmp_path: Path
) -> None:
    """Saving hangs while entries of before are on disk; reads have both."""
    data = tmp_path / "data"
    service = serve(DSTACK_URL=dstack.url, CHECK_INTERVAL="0.2", HISTORY="on", DATA_DIR=str(data))
    wait_until(lambda: saved(data) == ["available"])
    with hanging(data / LOCK) as is_waited_for:  # the store notices the new file and opens it
        dstack.crash()
        service.wait_for("connection_refused")
        wait_until(is_waited_for)
        dstack.revive()
        service.wait_for(None)
        dstack.crash()
        service.wait_for("connection_refused")
        assert answer_at_once(service) == ["available", "unavailable"] * 2
        assert saved(data) == ["available"], "it still hangs"
    wait_until(lambda: saved(data) == ["available", "unavailable"] * 2)
    assert "WARNING the history" not in service.log


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_disk_that_hangs_does_not_delay_the_end(
    serve: Serve, dstack: Remote, tmp_path: Path, how: signal.Signals
) -> None:
    """The process ends in time, with exit code 0."""
    data = tmp_path / "data"
    data.mkdir()
    with hanging(data / LOCK) as is_waited_for:
        service = serve(DSTACK_URL=dstack.url, HISTORY="on", DATA_DIR=str(data))
        service.wait_for(None)
        wait_until(is_waited_for)
        code, took = service.end(how)
    assert code == 0
    assert took < LONGEST_STOP
