"""Calls of a source under test. Each ends in time, whatever the source does."""

import asyncio
import threading
import time
from collections.abc import Callable, Coroutine
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import ParamSpec, TypeVar

from dstack_backend.domain.ports import GpuSource

__all__ = ["TOLERANCE", "call", "cancel", "expect_no_leak", "longest_block", "run"]

TOLERANCE = 0.5
"""Seconds that scheduling on a busy machine may add to a deadline."""

CLOSE_TIMEOUT = 1.0
"""Seconds within which what was closed is gone."""

T = TypeVar("T")
P = ParamSpec("P")


def run(main: Coroutine[object, object, T]) -> T:
    """Run as `asyncio.run` does, but do not wait for tasks and threads that ignore a cancel."""
    loop = asyncio.new_event_loop()
    loop.set_default_executor(_DaemonThreads())
    try:
        return loop.run_until_complete(main)
    finally:
        loop.run_until_complete(_end_other_tasks(loop))
        loop.close()


async def _end_other_tasks(loop: asyncio.AbstractEventLoop) -> None:
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    if others:
        await asyncio.wait(others, timeout=TOLERANCE)
    generators = asyncio.ensure_future(loop.shutdown_asyncgens())
    await asyncio.wait({generators}, timeout=TOLERANCE)


class _DaemonThreads(ThreadPoolExecutor):
    """Threads for `asyncio.to_thread` that may hang in a driver forever."""

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        future: Future[T] = Future()

        def work() -> None:
            if future.set_running_or_notify_cancel():
                try:
                    future.set_result(fn(*args, **kwargs))
                except BaseException as exc:  # noqa: BLE001 - raised where the result is read
                    future.set_exception(exc)

        threading.Thread(target=work, daemon=True).start()
        return future


async def call(source: GpuSource, deadline: float) -> object:
    """Return the result of one call. A call that is late or raises fails the test."""
    started = time.monotonic()
    task = asyncio.ensure_future(source.list_gpus())
    await asyncio.wait({task}, timeout=deadline + TOLERANCE)
    is_in_time = task.done() and time.monotonic() - started < deadline + TOLERANCE
    task.cancel()
    assert is_in_time, f"list_gpus() did not return within {deadline:g} s"
    assert not task.cancelled(), "list_gpus() raised CancelledError, but it was not cancelled"
    try:
        return task.result()
    except Exception as exc:
        raise AssertionError(
            f"list_gpus() raised {exc!r}; it must return a CheckFailure instead"
        ) from exc


async def cancel(task: asyncio.Task[object], limit: float) -> None:
    """Cancel a call, unless it has ended, and assert that it ends as cancelled within a limit."""
    was_running = task.cancel()
    await asyncio.wait({task}, timeout=limit)
    assert task.done(), f"list_gpus() was cancelled and still ran {limit:g} s later"
    if was_running and not task.cancelled():
        end = task.exception() or task.result()
        raise AssertionError(f"list_gpus() was cancelled and ended with {end!r}")


async def longest_block(source: GpuSource, deadline: float) -> float:
    """Return the longest time in seconds for which a call blocked the event loop."""
    task = asyncio.ensure_future(call(source, deadline))
    longest, before = 0.0, time.monotonic()
    while not task.done():
        await asyncio.wait({task}, timeout=0.01)
        now = time.monotonic()
        longest, before = max(longest, now - before), now
    if longest < TOLERANCE:  # otherwise the call may be late because of it
        await task
    return longest


async def expect_no_leak(work: Coroutine[object, object, None]) -> None:
    """Run some work and assert that it leaves no task and no descriptor open."""
    descriptors, tasks = _open_descriptors(), len(asyncio.all_tasks())
    await work
    left = await _excess(lambda: len(asyncio.all_tasks()), tasks)
    assert left <= 0, "a task is still running"
    left = await _excess(_open_descriptors, descriptors)
    assert left <= 0, f"{left} descriptors are still open"


async def _excess(count: Callable[[], int], limit: int) -> int:
    """Wait until a count is down to its limit, and return how far it is above after a timeout."""
    deadline = time.monotonic() + CLOSE_TIMEOUT
    while (excess := count() - limit) > 0 and time.monotonic() < deadline:  # noqa: ASYNC110 - no event
        await asyncio.sleep(0.005)
    return excess


def _open_descriptors() -> int:
    return sum(1 for _ in Path("/dev/fd").iterdir())
