"""The notifier wakes the tasks that wait for an update."""

import asyncio
from itertools import pairwise

from dstack_backend.adapters.asyncio_notifier import AT_ONCE, Notifier
from dstack_backend.domain import GpuInventory, assess
from dstack_backend.domain.check import Check
from dstack_backend.domain.status import Change
from dstack_backend.domain.timestamp import Timestamp
from dstack_backend.testing.fakes import EPOCH

NOW = Timestamp(0.0, EPOCH)


def test_update_wakes_waiting_calls() -> None:
    """For each update, at once for an earlier one, and with `None` at the end."""

    async def wait() -> None:
        notifier = Notifier()
        waiting = asyncio.create_task(notifier.wait_newer(0))
        await asyncio.sleep(0)
        assert not waiting.done()
        notifier.publish()
        assert await waiting == 1
        assert await notifier.wait_newer(0) == 1
        last = asyncio.create_task(notifier.wait_newer(1))
        await asyncio.sleep(0)
        assert not last.done()
        notifier.close()
        assert await last is None
        assert await notifier.wait_newer(0) is None

    asyncio.run(wait())


def test_update_wakes_every_waiting_call() -> None:
    """A call for a later version goes on waiting."""

    async def wait() -> None:
        notifier = Notifier()
        calls = [asyncio.create_task(notifier.wait_newer(version)) for version in (0, 0, 1)]
        await asyncio.sleep(0)
        notifier.publish()
        assert await asyncio.gather(*calls[:2]) == [1, 1]
        assert not calls[2].done()
        notifier.publish()
        assert await calls[2] == 2

    asyncio.run(wait())


def test_update_wakes_a_few_calls_at_a_time() -> None:
    """The event loop does other work in between. A call that is cancelled meanwhile is left out."""

    async def wait() -> None:
        notifier, count = Notifier(), 5 * AT_ONCE
        calls = [asyncio.create_task(notifier.wait_newer(0)) for _ in range(count)]
        await asyncio.sleep(0)
        notifier.publish()
        calls[-1].cancel()
        seen = [0]
        while seen[-1] < count:
            await asyncio.sleep(0)
            seen.append(sum(call.done() for call in calls))
            notifier.publish()
        results = await asyncio.gather(*calls, return_exceptions=True)
        assert max(after - before for before, after in pairwise(seen)) <= AT_ONCE + 1
        assert [isinstance(each, int) for each in results] == [True] * (count - 1) + [False]

    asyncio.run(wait())


def test_checks_and_changes_are_updates() -> None:
    """Each of them is one."""
    notifier = Notifier()
    status = assess(GpuInventory())
    notifier.on_check(Check(result=GpuInventory(), started=0.0, finished=NOW))
    notifier.on_change(Change(NOW, status, status))
    assert notifier.version == 2
