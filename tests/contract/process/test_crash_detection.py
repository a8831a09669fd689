"""The service sees a crash and a return of DStack at once. `make faults` measures more phases."""

from collections.abc import Callable
from pathlib import Path

import pytest

from dstack_backend.testing.simulated_dstack import SimulatedDStack, in_thread
from tests.contract.process.service import Service
from tests.faults.support.crashes import INTERVAL, crash_and_return

BUSY_MACHINE = 0.9
"""Seconds that other tests on the machine may add. Regular checks see the crash after 1.5 s, and
the return after 1.8 s."""


@pytest.mark.parametrize("transport", ["tcp", "unix"])
def test_crash_and_return_are_seen_at_once(
    serve: Callable[..., Service], tmp_path: Path, transport: str
) -> None:
    """The connection that is held to DStack closes; no regular check is waited for."""
    path = tmp_path / "vmm.sock" if transport == "unix" else None
    with in_thread(SimulatedDStack(), path) as dstack:
        service = serve(DSTACK_URL=dstack.url, CHECK_INTERVAL=str(INTERVAL))
        service.wait_for(None)
        gone, back = crash_and_return(service, dstack.crash, dstack.revive, phase=0.5)
    assert gone < 0.1 + BUSY_MACHINE
    assert back < 0.5 + BUSY_MACHINE
