"""What a server may do with the idle connection that the service holds, without an alarm.

Default settings throughout: one check in 10 s, of which each test lasts less.
"""

import time
from collections.abc import Callable

import pytest

from dstack_backend.testing.simulated_dstack import Remote
from tests.contract.ports.dstack.resetting import resetting
from tests.contract.process.service import Service, wait_until
from tests.faults.support.crashes import seconds_until
from tests.faults.support.front import (
    Treatment,
    before,
    closes,
    forwards,
    hangs,
    idle,
    resets,
    sends,
)
from tests.faults.support.process import processor_seconds

Serve = Callable[..., Service]

WATCHED = 6.0
"""Seconds; less than the interval."""

MOST_WORK = 0.6
"""Seconds of the processor in that time: a busy loop would take all of them."""


def _watch(service: Service, seconds: float = WATCHED) -> float:
    """Assert that the service stays available; return the processor time that it used."""
    used = processor_seconds(service.process.pid)
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        assert service.ask("/health").code == 200
        time.sleep(0.1)
    return processor_seconds(service.process.pid) - used


def test_closed_idle_connection_causes_no_alarm_and_no_check(dstack: Remote, serve: Serve) -> None:
    """Closed every 1.5 s, it is opened again each time, without a request."""
    dstack.dstack.idle_timeout = 1.5
    with before(_port(dstack), forwards) as front:
        service = serve(DSTACK_URL=front.url)
        service.wait_for(None)
        assert _watch(service) < MOST_WORK
        assert front.connections in range(4, 8), "a check, and one for each 1.5 s"
    assert dstack.dstack.calls == 1


RUDE: dict[str, Treatment] = {
    "closes-at-once": closes,
    "resets-at-once": resets,
    "speaks-unasked": sends(b"220 ready\r\n"),
    "speaks-http-unasked": sends(b"HTTP/1.1 408 Request Timeout\r\nConnection: close\r\n\r\n"),
    "floods": sends(b"x" * 1_000_000),
}


@pytest.mark.parametrize("name", RUDE)
def test_server_that_rejects_idle_connections_is_connected_to_less_and_less_often(
    dstack: Remote, serve: Serve, name: str
) -> None:
    """No busy loop, no alarm, only regular checks."""
    with before(_port(dstack), idle(RUDE[name])) as front:
        service = serve(DSTACK_URL=front.url)
        service.wait_for(None)
        assert _watch(service) < MOST_WORK
        assert front.connections <= 6, "a check, then one at once, after 1 s, 2 s and 4 s"
    assert dstack.dstack.calls == 1


def test_server_that_closes_every_connection_causes_no_busy_loop(
    dstack: Remote, serve: Serve
) -> None:
    """Checks fail and are repeated after 1 s, 2 s, 4 s; so are the attempts of the watcher."""
    with before(_port(dstack), closes) as front:
        service = serve(DSTACK_URL=front.url)
        service.wait_for("connection_closed")
        used = processor_seconds(service.process.pid)
        time.sleep(WATCHED)
        assert processor_seconds(service.process.pid) - used < MOST_WORK
        assert front.connections <= 10


def test_server_that_resets_every_connection_causes_no_more_checks_than_the_back_off(
    serve: Serve, note: Callable[[str], None]
) -> None:
    """The watcher gives no hints: it cannot tell whether the listener goes and comes back."""
    with resetting() as server:
        service = serve(DSTACK_URL=server.url)
        service.wait_for("connection_closed")
        time.sleep(WATCHED)
        checks = service.status()["consecutive_failures"]
        note(f"{checks} checks and {server.connections} connections in {WATCHED:g} s")
        assert checks <= 4, "one at the start, then after 1 s, 2 s and 4 s"
        assert server.connections <= 10


def test_server_that_drops_packets_leaves_regular_checks(dstack: Remote, serve: Serve) -> None:
    """The held connection stays open whatever DStack does; a regular check finds out."""
    with before(_port(dstack), idle(hangs)) as front:
        service = serve(DSTACK_URL=front.url, CHECK_INTERVAL="3", CHECK_TIMEOUT="1")
        service.wait_for(None)
        assert _watch(service, 7) < MOST_WORK
        assert dstack.dstack.calls in (2, 3)
        assert front.connections == dstack.dstack.calls + 1, "one is held all the time"
        dstack.crash()
        assert seconds_until(service, 503) < 3 + 1 + 0.5


def test_flapping_dstack_causes_no_storm_of_checks(dstack: Remote, serve: Serve) -> None:
    """At most one hinted check in a second, beside those after a failure."""
    service = serve(DSTACK_URL=dstack.url)
    service.wait_for(None)
    started = time.monotonic()
    for _ in range(20):
        dstack.crash()
        time.sleep(0.15)
        dstack.revive()
        time.sleep(0.15)
    seconds = time.monotonic() - started
    checks = service.ask("/metrics").body.decode().split("dstack_backend_checks_total{")[1:]
    assert sum(float(line.split()[1]) for line in checks) <= 2 + seconds
    wait_until(lambda: service.status()["reason"] is None, seconds=5)


def _port(dstack: Remote) -> int:
    return int(dstack.url.rpartition(":")[2])
