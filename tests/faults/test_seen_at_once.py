"""A crash is seen within 0.1 s, a return within 0.5 s, and a hang by the timeout."""

import statistics
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from dstack_backend.testing.faults import FAULTS
from dstack_backend.testing.simulated_dstack import Remote, SimulatedDStack, in_thread
from tests.contract.process.service import Service
from tests.faults.support.crashes import (
    CRASH_SEEN,
    INTERVAL,
    RETURN_SEEN,
    DStackProcess,
    crash_and_return,
    seconds_until,
)

PHASES = [0.05, 0.15, 0.25, 0.35, 0.45, 0.55, 0.65, 0.75, 0.85, 0.95]

Note = Callable[[str], None]
Serve = Callable[..., Service]


@pytest.fixture(params=["tcp", "unix"])
def remote(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Remote]:
    """A simulated DStack on each transport."""
    path = tmp_path / "vmm.sock" if request.param == "unix" else None
    with in_thread(SimulatedDStack(), path) as remote:
        yield remote


@pytest.fixture(params=["tcp", "unix"])
def process(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[DStackProcess]:
    """A process of a simulated DStack on each transport."""
    process = DStackProcess(tmp_path / "vmm.sock" if request.param == "unix" else None)
    yield process
    process.kill()


def _line(seen: list[tuple[float, float]]) -> str:
    gone, back = zip(*seen, strict=True)
    return (
        f"crash: median {statistics.median(gone) * 1000:.0f} ms, worst {max(gone) * 1000:.0f} ms; "
        f"return: median {statistics.median(back) * 1000:.0f} ms, worst {max(back) * 1000:.0f} ms"
    )


def test_crash_and_return_are_seen_at_any_phase(remote: Remote, serve: Serve, note: Note) -> None:
    """Whatever part of a second has passed since the last check."""
    service = serve(DSTACK_URL=remote.url, CHECK_INTERVAL=str(INTERVAL))
    service.wait_for(None)
    seen = [crash_and_return(service, remote.crash, remote.revive, phase) for phase in PHASES]
    note(_line(seen))
    assert max(gone for gone, _ in seen) < CRASH_SEEN
    assert max(back for _, back in seen) < RETURN_SEEN


def test_killed_process_is_seen_at_any_phase(
    process: DStackProcess, serve: Serve, note: Note
) -> None:
    """SIGKILL: the kernel closes the sockets one after the other."""
    service = serve(DSTACK_URL=process.url, CHECK_INTERVAL=str(INTERVAL))
    service.wait_for(None)
    seen = [crash_and_return(service, process.kill, process.start, each) for each in PHASES[::2]]
    note(_line(seen))
    assert max(gone for gone, _ in seen) < CRASH_SEEN
    assert max(back for _, back in seen) < RETURN_SEEN


def test_hang_is_seen_within_an_interval_and_the_timeout(dstack: Remote, serve: Serve) -> None:
    """No connection closes when DStack hangs: the next regular check fails."""
    service = serve(DSTACK_URL=dstack.url)
    service.wait_for(None)
    dstack.dstack.behaviour = FAULTS["hang-before-headers"].behaviour
    assert seconds_until(service, 503, within=20) < 10 + 5 + 0.5
    assert service.status()["reason"] == "timed_out"
