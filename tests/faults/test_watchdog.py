"""What systemd is told: READY, WATCHDOG while the monitor really runs, STOPPING."""

import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.contract.process.service import wait_until
from tests.faults.support.process import HarnessService

ServeHarness = Callable[..., HarnessService]

TIMES = {"CHECK_INTERVAL": "0.5", "CHECK_TIMEOUT": "0.2"}
"""A status goes stale after 1.7 s."""


class Systemd:
    """Receives the states."""

    def __init__(self, path: Path) -> None:
        self.address = str(path)
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(self.address)

    def receive(self, seconds: float = 20) -> str | None:
        """Return the next state; `None` where none comes in time."""
        self._socket.settimeout(seconds)
        try:
            return self._socket.recv(100).decode()
        except TimeoutError:
            return None

    def clear(self) -> None:
        """Drop what has been received."""
        while self.receive(0.001):
            pass

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()


@pytest.fixture
def systemd(tmp_path: Path) -> Iterator[Systemd]:
    """Return a receiver of states."""
    systemd = Systemd(tmp_path / "notify")
    yield systemd
    systemd.close()


def test_states_of_a_normal_run(serve_harness: ServeHarness, systemd: Systemd) -> None:
    """READY once, WATCHDOG every second, STOPPING at the signal."""
    service = serve_harness(NOTIFY_SOCKET=systemd.address, **TIMES)
    assert systemd.receive() == "READY=1"
    assert service.ask("/livez").code == 200
    for _ in range(3):
        started = time.monotonic()
        assert systemd.receive() == "WATCHDOG=1"
        assert time.monotonic() - started < 2
    assert service.end()[0] == 0
    systemd_states = {systemd.receive(1), systemd.receive(0.01)}
    assert "STOPPING=1" in systemd_states


def test_unavailable_source_is_not_the_fault_of_the_service(
    serve_harness: ServeHarness, systemd: Systemd
) -> None:
    """The watchdog is fed while DStack is gone or hangs: a restart would not help."""
    service = serve_harness("raise", NOTIFY_SOCKET=systemd.address, **TIMES)
    assert [systemd.receive() for _ in range(2)] == ["READY=1", "WATCHDOG=1"]
    service.order("hang")
    time.sleep(3)
    systemd.clear()
    assert [systemd.receive(4) for _ in range(3)] == ["WATCHDOG=1"] * 3


@pytest.mark.parametrize("order", ["uncancellable", "cancel", "block 8 good"])
def test_monitor_that_does_not_run_does_not_feed_the_watchdog(
    serve_harness: ServeHarness, systemd: Systemd, order: str
) -> None:
    """Its call never ends, its loop ends again and again, or the event loop is blocked."""
    service = serve_harness(NOTIFY_SOCKET=systemd.address, **TIMES)
    wait_until(lambda: systemd.receive() == "WATCHDOG=1")
    service.order(order)
    time.sleep(4)
    systemd.clear()
    assert systemd.receive(3) is None
