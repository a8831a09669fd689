"""Calls of a source under test. Each comes to an end, whatever the source does."""

import asyncio
import threading
import time
from collections.abc import Callable, Coroutine
from concurrent.futures import Future, ThreadPoolExecutor
from typing import ParamSpec, TypeVar

from dstack_backend.domain.check import CheckResult
from dstack_backend.domain.ports import GpuSource

__all__ = ["MOMENT", "ask", "begin", "cancel", "longest_pause_during", "run"]

MOMENT = 0.5
"""Seconds that scheduling on a busy machine may add to a deadline."""

T = TypeVar("T")
P = ParamSpec("P")


def run(main: Coroutine[object, object, T]) -> T:
    """Run as `asyncio.run` does, but leave behind what ignores that it is cancelled."""
    loop = asyncio.new_event_loop()
    loop.set_default_executor(_Threads())
    try:
        return loop.run_until_complete(main)
    finally:
        loop.run_until_complete(_end_the_rest(loop))
        loop.close()


async def _end_the_rest(loop: asyncio.AbstractEventLoop) -> None:
    rest = asyncio.all_tasks() - {asyncio.current_task()}
    for task in rest:
        task.cancel()
    if rest:
        await asyncio.wait(rest, timeout=MOMENT)
    generators = asyncio.ensure_future(loop.shutdown_asyncgens())
    await asyncio.wait({generators}, timeout=MOMENT)


class _Threads(ThreadPoolExecutor):
    """Threads for `asyncio.to_thread` that nobody waits for: one may hang in a driver for ever."""

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        future: Future[T] = Future()

        def work() -> None:
            if not future.set_running_or_notify_cancel():
                return
            try:
                future.set_result(fn(*args, **kwargs))
            except BaseException as exc:  # noqa: BLE001 - it is raised where the result is read
                future.set_exception(exc)

        threading.Thread(target=work, daemon=True).start()
        return future


async def ask(source: GpuSource, deadline: float) -> CheckResult:
    """Call once. A call that is late is cancelled, and fails the test as one that raises does."""
    started = time.monotonic()
    call = begin(source)
    await asyncio.wait({call}, timeout=deadline + MOMENT)
    in_time = call.done() and time.monotonic() - started < deadline + MOMENT
    call.cancel()
    assert in_time, f"no result within {deadline:g} s"
    assert not call.cancelled(), "a call ended as cancelled, and nobody had cancelled it"
    try:
        return call.result()
    except Exception as exc:
        raise AssertionError(f"a call raised {exc!r}: a failure is a value") from exc


def begin(source: GpuSource) -> asyncio.Task[CheckResult]:
    """Begin a call."""
    return asyncio.ensure_future(source.list_gpus())


async def cancel(call: asyncio.Task[CheckResult], limit: float) -> None:
    """Cancel a call, unless it has ended, and wait until it says that it was cancelled.

    Args:
        call: The call.
        limit: Seconds in which it must end.
    """
    was_under_way = call.cancel()
    await asyncio.wait({call}, timeout=limit)
    assert call.done(), f"a cancelled call went on for {limit:g} s"
    assert call.cancelled() or not was_under_way, f"a cancelled call ended with {_end_of(call)}"


def _end_of(call: asyncio.Task[CheckResult]) -> object:
    return call.exception() or call.result()


async def longest_pause_during(source: GpuSource, deadline: float) -> float:
    """Give the seconds for which the event loop stood still while a call was under way."""
    call = asyncio.ensure_future(ask(source, deadline))
    longest, before = 0.0, time.monotonic()
    while not call.done():
        await asyncio.wait({call}, timeout=0.01)
        now = time.monotonic()
        longest, before = max(longest, now - before), now
    if longest < MOMENT:  # else the call may be late, and the pause is why
        await call
    return longest
