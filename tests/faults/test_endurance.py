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
from tests.faults.process import MEGABYTE, Staged, settled, sockets

Note = Callable[[str], None]
SimulatedNode = Callable[..., Staged]

WARM = 2_000
CHECKS = 10_000
MOST_GROWTH = 6 * MEGABYTE
"""The allocator's own steps are of 3 MB; 8,000 times what a check left behind would be more."""

_MET = (
    "closed-in-body",
    "status-500",
    "json-null",
    "length-twice",
    "http-2",
    "compressed-br",
    "closed-before-headers",
)


def _all_sorts() -> Behaviour:
    faults = itertools.cycle(FAULTS[name].behaviour for name in _MET)

    async def behave(request: Request, writer: asyncio.StreamWriter) -> None:
        await next(faults)(request, writer)

    return behave


def _endure(stage: SimulatedNode, dstack: Remote, note: Note, checks: int = CHECKS) -> None:
    service = stage(STAGE_DSTACK="real", STAGE_INTERVAL="0.0001", DSTACK_URL=dstack.url)
    _checks(service, WARM)
    memory, descriptors = service.memory(), min(sockets(service.process.pid) for _ in range(100))
    _checks(service, checks)
    grown = service.memory() - memory
    note(f"{grown / 1024:.0f} KB more after {checks - WARM} checks")
    assert grown < MOST_GROWTH
    assert settled(service.process.pid, descriptors) <= descriptors
    assert service.end()[0] == 0


def _checks(service: Staged, count: int) -> None:
    def done() -> bool:
        metrics = service.ask("/metrics").body.decode()
        lines = metrics.split("\ndstack_backend_checks_total{")[1:]
        return sum(float(line.split("\n")[0].split()[-1]) for line in lines) >= count

    wait_until(done, seconds=110)


@pytest.mark.parametrize("transport", ["tcp", "unix"])
def test_ten_thousand_good_checks_cost_nothing(
    stage: SimulatedNode, note: Note, tmp_path: Path, transport: str
) -> None:
    """What one check takes it gives back."""
    path = tmp_path / "vmm.sock" if transport == "unix" else None
    with in_thread(SimulatedDStack(), path) as dstack:
        _endure(stage, dstack, note)


def test_five_thousand_failed_checks_cost_nothing(
    dstack: Remote, stage: SimulatedNode, note: Note
) -> None:
    """Nor do failures of all sorts, one after the other."""
    dstack.dstack.behaviour = _all_sorts()
    _endure(stage, dstack, note, CHECKS // 2)
