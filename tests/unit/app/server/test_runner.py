"""Tests of the event loops of a process."""

import asyncio
import gc
import warnings

from dstack_backend.app.server.runner import run_once


def test_run_once_leaves_nothing_open() -> None:
    """Python warns of sockets and loops that were not closed when it collects them."""
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("always")
        assert run_once(asyncio.to_thread(int, "7")) == 7
        gc.collect()
    assert [str(each.message) for each in found] == []
