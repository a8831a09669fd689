"""A suite ends by itself, whatever the source does, and cancels at every time of a call."""

import asyncio
import contextlib
import os
import threading
import time
from collections.abc import Iterator

import pytest

from dstack_backend.domain import CheckResult
from dstack_backend.testing.contracts import GpuSourceContract
from tests.contract.kit.sources import GOOD, Call, Suite

CANCELLED = "test_a_cancelled_call_is_cancelled_and_releases_everything"
TESTS = [name for name in vars(GpuSourceContract) if name.startswith("test_")]


class Impatient(Suite):
    """The suites over a source that promises to be quick."""

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
def test_each_test_of_a_source_that_does_not_return_ends_with_a_sentence(call: Call) -> None:
    """Also those that call it many times: they stop at the first call that is late."""
    started = time.monotonic()
    for name in TESTS:
        with pytest.raises(AssertionError, match=r"no result within 0\.1 s"):
            getattr(Impatient(call), name)()
    assert time.monotonic() - started < 10


def test_a_source_that_does_not_time_out_by_itself_ends_with_a_sentence() -> None:
    """The suite for sources that hang does not hang with them."""
    with pytest.raises(AssertionError, match=r"no result within 0\.1 s"):
        Impatient(_never_returns).test_a_call_that_gets_no_answer_times_out_by_its_deadline()
    Impatient(_never_returns).test_a_call_that_waits_is_cancelled_at_once()


@pytest.mark.parametrize(
    ("test", "message"),
    [
        ("test_a_call_ends_by_its_deadline", r"no result within 0\.1 s"),
        ("test_a_source_works_on_after_a_cancelled_call", r"a cancelled call went on for 0\.6 s"),
        ("test_a_call_that_waits_is_cancelled_at_once", r"a cancelled call went on for 0\.5 s"),
    ],
)
def test_a_source_that_cannot_be_cancelled_ends_with_a_sentence(test: str, message: str) -> None:
    """It is left behind: the suite does not wait for it."""
    started = time.monotonic()
    with pytest.raises(AssertionError, match=message):
        getattr(Impatient(_cannot_be_cancelled), test)()
    assert time.monotonic() - started < 5


def test_a_source_that_hangs_in_a_thread_ends_with_a_sentence() -> None:
    """Nobody waits for a driver that never returns, not even the end of the process."""
    before, end = set(threading.enumerate()), threading.Event()

    async def asks_a_driver() -> CheckResult:
        await asyncio.to_thread(end.wait)
        return GOOD

    with pytest.raises(AssertionError, match=r"no result within 0\.1 s"):
        Impatient(asks_a_driver).test_a_call_ends_by_its_deadline()
    left = set(threading.enumerate()) - before
    assert [thread.daemon for thread in left] == [True]
    end.set()
    for thread in left:
        thread.join()


def test_a_source_that_hangs_is_cancelled_by_the_suite() -> None:
    """What it holds is released before the next test."""
    released: list[bool] = []

    async def holds_something() -> CheckResult:
        try:
            await asyncio.Event().wait()
        finally:
            released.append(True)
        return GOOD

    with pytest.raises(AssertionError, match="no result"):
        Impatient(holds_something).test_a_call_ends_by_its_deadline()
    assert released == [True]


async def _in_time_and_clean() -> CheckResult:
    try:
        await asyncio.sleep(0.1)
    except asyncio.CancelledError:
        await asyncio.sleep(0.05)  # its cleaning up
        raise
    return await asyncio.to_thread(lambda: GOOD)


def test_a_source_that_takes_a_while_to_clean_up_passes() -> None:
    """A cancelled call may need some time for what it holds."""
    for name in TESTS:
        getattr(Suite(_in_time_and_clean), name)()


async def _swallows_late() -> CheckResult:
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
        (_swallows_late, "a cancelled call ended with GpuInventory"),
        (_opens_late, "descriptors are left open"),
    ],
)
def test_a_breach_late_in_a_call_is_found(call: Call, message: str) -> None:
    """Calls are cancelled not only in their first turns of the loop, but all along."""
    with pytest.raises(AssertionError, match=message):
        getattr(Suite(call), CANCELLED)()
