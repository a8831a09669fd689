"""With default settings a crash is seen in milliseconds, a return in seconds, a hang in time."""

import statistics
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from dstack_backend.testing.faults import FAULTS
from dstack_backend.testing.simulated_dstack import Remote, SimulatedDStack, in_thread
from tests.contract.process.service import Service
from tests.faults.crashes import (
    CRASH_SEEN,
    RETURN_SEEN,
    DStackProcess,
    crash_and_return,
    seconds_until,
)

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
    """A simulated DStack on each transport, as a process of its own."""
    process = DStackProcess(tmp_path / "vmm.sock" if request.param == "unix" else None)
    yield process
    process.kill()


def test_ten_crashes_are_seen_within_250_ms_and_ten_returns_within_2_s(
    remote: Remote, serve: Serve, note: Note
) -> None:
    """The median of the crashes, and each return; no crash waits for the clock."""
    service = serve(DSTACK_URL=remote.url)
    service.wait_for(None)
    seen = [crash_and_return(service, remote.crash, remote.revive) for _ in range(10)]
    crashes, returns = zip(*seen, strict=True)
    note(
        f"crashes: median {statistics.median(crashes) * 1000:.0f} ms, "
        f"worst {max(crashes) * 1000:.0f} ms; returns: worst {max(returns):.2f} s"
    )
    assert statistics.median(crashes) < CRASH_SEEN
    assert max(returns) < RETURN_SEEN


def test_a_process_that_is_killed_is_seen_within_250_ms(
    process: DStackProcess, serve: Serve, note: Note
) -> None:
    """SIGKILL: nobody says good-bye, the kernel closes the sockets."""
    service = serve(DSTACK_URL=process.url)
    service.wait_for(None)
    seen = [crash_and_return(service, process.kill, process.start) for _ in range(5)]
    crashes, returns = zip(*seen, strict=True)
    note(
        f"killed: median {statistics.median(crashes) * 1000:.0f} ms, "
        f"worst {max(crashes) * 1000:.0f} ms; returns: worst {max(returns):.2f} s"
    )
    assert statistics.median(crashes) < CRASH_SEEN
    assert max(returns) < RETURN_SEEN


def test_a_hang_is_seen_within_an_interval_and_the_timeout(dstack: Remote, serve: Serve) -> None:
    """Nothing closes when DStack hangs: the next check finds out, by the clock."""
    service = serve(DSTACK_URL=dstack.url)
    service.wait_for(None)
    dstack.dstack.behaviour = FAULTS["hang-before-headers"].behaviour
    assert seconds_until(service, 503, within=20) < 10 + 5 + 0.5
    assert service.status()["reason"] == "timed_out"
