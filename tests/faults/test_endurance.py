"""Ten thousand checks by the real process, without growth of memory or of descriptors."""

import asyncio
import itertools
from collections.abc import Callable
from pathlib import Path

import pytest

from dstack_backend.testing.faults import FAULTS
from dstack_backend.testing.simulated_dstack import (
    Behaviour,
    Remote,
    Request,
    SimulatedDStack,
    in_thread,
)
from tests.contract.process.service import wait_until
from tests.faults.support.process import MEGABYTE, HarnessService, settled, sockets

Note = Callable[[str], None]
ServeHarness = Callable[..., HarnessService]

WARM_UP = 2_000
CHECKS = 10_000
MAX_GROWTH = 6 * MEGABYTE
"""The allocator grows in steps of 3 MB. A leak of each of 8,000 checks would be more."""

_FAULTS = (
    "closed-in-body",
    "status-500",
    "json-null",
    "length-twice",
    "http-2",
    "compressed-br",
    "closed-before-headers",
)


def _various_faults() -> Behaviour:
    faults = itertools.cycle(FAULTS[name].behaviour for name in _FAULTS)

    async def behave(request: Request, writer: asyncio.StreamWriter) -> None:
        await next(faults)(request, writer)

    return behave


def _endure(serve_harness: ServeHarness, dstack: Remote, note: Note, checks: int = CHECKS) -> None:
    service = serve_harness(
        HARNESS_SOURCE="dstack", HARNESS_INTERVAL="0.0001", DSTACK_URL=dstack.url
    )
    _wait_for_checks(service, WARM_UP)
    memory, descriptors = service.memory(), min(sockets(service.process.pid) for _ in range(100))
    _wait_for_checks(service, checks)
    grown = service.memory() - memory
    note(f"{grown / 1024:.0f} KB more after {checks - WARM_UP} checks")
    assert grown < MAX_GROWTH
    assert settled(service.process.pid, descriptors) <= descriptors
    assert service.end()[0] == 0


def _wait_for_checks(service: HarnessService, count: int) -> None:
    def done() -> bool:
        metrics = service.ask("/metrics").body.decode()
        lines = metrics.split("\ndstack_backend_checks_total{")[1:]
        return sum(float(line.split("\n")[0].split()[-1]) for line in lines) >= count

    wait_until(done, seconds=110)


@pytest.mark.parametrize("transport", ["tcp", "unix"])
def test_good_checks_do_not_leak(
    serve_harness: ServeHarness, note: Note, tmp_path: Path, transport: str
) -> None:
    """Neither memory nor descriptors grow in 8,000 checks."""
    path = tmp_path / "vmm.sock" if transport == "unix" else None
    with in_thread(SimulatedDStack(), path) as dstack:
        _endure(serve_harness, dstack, note)


def test_failed_checks_do_not_leak(dstack: Remote, serve_harness: ServeHarness, note: Note) -> None:
    """Nor in 3,000 checks with various faults."""
    dstack.dstack.behaviour = _various_faults()
    _endure(serve_harness, dstack, note, CHECKS // 2)
