"""A suite ends by itself, whatever the source does, and cancels calls at many times."""

import asyncio
import contextlib
import os
import threading
import time
from collections.abc import Iterator

import pytest

from dstack_backend.domain import CheckResult
from dstack_backend.testing.contracts import GpuSourceContract
from tests.contract.kit.suites.sources import GOOD, Call, Suite

CANCELLED = "test_cancelled_call_leaks_nothing"
TESTS = [name for name in vars(GpuSourceContract) if name.startswith("test_")]
LATE = r"did not return within 0\.1 s"


class FastSuite(Suite):
    """The suites over a source with a short deadline."""

    deadline = 0.1


async def _never_returns() -> CheckResult:
    await asyncio.Event().wait()
    return GOOD


async def _is_slow() -> CheckResult:
    await asyncio.sleep(10)
    return GOOD


async def _cannot_be_cancelled() -> CheckResult:
    for _ in range(1000):
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.Event().wait()
    return GOOD


@pytest.mark.parametrize("call", [_never_returns, _is_slow])
def test_every_test_of_a_late_source_fails_soon(call: Call) -> None:
    """Tests with many calls stop at the first late one."""
    started = time.monotonic()
    for name in TESTS:
        with pytest.raises(AssertionError, match=LATE):
            getattr(FastSuite(call), name)()
    assert time.monotonic() - started < 10


def test_timeout_suite_does_not_hang_with_the_source() -> None:
    """A source without a timeout of its own fails the test of it, and can be cancelled."""
    with pytest.raises(AssertionError, match=LATE):
        FastSuite(_never_returns).test_unanswered_call_times_out()
    FastSuite(_never_returns).test_waiting_call_can_be_cancelled_at_once()


@pytest.mark.parametrize(
    ("test", "message"),
    [
        ("test_call_returns_within_its_deadline", LATE),
        ("test_source_works_after_a_cancelled_call", r"was cancelled and still ran 0\.6 s later"),
        ("test_waiting_call_can_be_cancelled_at_once", r"was cancelled and still ran 0\.5 s later"),
    ],
)
def test_source_that_cannot_be_cancelled_fails_soon(test: str, message: str) -> None:
    """The suite does not wait for the task."""
    started = time.monotonic()
    with pytest.raises(AssertionError, match=message):
        getattr(FastSuite(_cannot_be_cancelled), test)()
    assert time.monotonic() - started < 5


def test_source_that_hangs_in_a_thread_fails_soon() -> None:
    """Neither the suite nor the end of the process waits for the thread."""
    before, end = set(threading.enumerate()), threading.Event()

    async def waits_in_a_thread() -> CheckResult:
        await asyncio.to_thread(end.wait)
        return GOOD

    with pytest.raises(AssertionError, match=LATE):
        FastSuite(waits_in_a_thread).test_call_returns_within_its_deadline()
    left = set(threading.enumerate()) - before
    assert [thread.daemon for thread in left] == [True]
    end.set()
    for thread in left:
        thread.join()


def test_late_call_is_cancelled() -> None:
    """What it holds is released before the next test."""
    released: list[bool] = []

    async def holds_something() -> CheckResult:
        try:
            await asyncio.Event().wait()
        finally:
            released.append(True)
        return GOOD

    with pytest.raises(AssertionError, match=LATE):
        FastSuite(holds_something).test_call_returns_within_its_deadline()
    assert released == [True]


async def _cleans_up_slowly() -> CheckResult:
    try:
        await asyncio.sleep(0.1)
    except asyncio.CancelledError:
        await asyncio.sleep(0.05)
        raise
    return await asyncio.to_thread(lambda: GOOD)


def test_source_may_take_time_to_clean_up() -> None:
    """A cancelled call may await something before it ends."""
    for name in TESTS:
        getattr(Suite(_cleans_up_slowly), name)()


async def _suppresses_late_cancellation() -> CheckResult:
    await asyncio.sleep(0.2)
    with contextlib.suppress(asyncio.CancelledError):
        await asyncio.sleep(0.1)
    return GOOD


_left_open: set[int] = set()


@pytest.fixture(autouse=True)
def _close() -> Iterator[None]:
    yield
    while _left_open:
        os.close(_left_open.pop())


async def _opens_late() -> CheckResult:
    await asyncio.sleep(0.1)
    opened = os.dup(0)
    _left_open.add(opened)
    await asyncio.sleep(0.1)
    _left_open.discard(opened)
    os.close(opened)
    return GOOD


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (_suppresses_late_cancellation, "was cancelled and ended with GpuInventory"),
        (_opens_late, "descriptors are still open"),
    ],
)
def test_breach_late_in_a_call_is_found(call: Call, message: str) -> None:
    """Calls are also cancelled late in their duration."""
    with pytest.raises(AssertionError, match=message):
        getattr(Suite(call), CANCELLED)()
