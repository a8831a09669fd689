"""A crash is seen at once: three crashes on each transport; `make faults` has the whole of it."""

import statistics
from collections.abc import Callable
from pathlib import Path

import pytest

from dstack_backend.testing.simulated_dstack import SimulatedDStack, in_thread
from tests.contract.process.service import Service
from tests.faults.crashes import CRASH_SEEN, RETURN_SEEN, crash_and_return


@pytest.mark.parametrize("transport", ["tcp", "unix"])
def test_with_default_settings_a_crash_is_seen_in_milliseconds_and_a_return_in_seconds(
    serve: Callable[..., Service], tmp_path: Path, transport: str
) -> None:
    """The connection that is held to DStack tells of both; no check waits for the clock."""
    path = tmp_path / "vmm.sock" if transport == "unix" else None
    with in_thread(SimulatedDStack(), path) as dstack:
        service = serve(DSTACK_URL=dstack.url)
        service.wait_for(None)
        seen = [crash_and_return(service, dstack.crash, dstack.revive) for _ in range(3)]
    assert statistics.median(gone for gone, _ in seen) < CRASH_SEEN
    assert max(back for _, back in seen) < RETURN_SEEN
