"""What the port `DStack` promises, as suites over any source of GPUs."""

import asyncio
import time
from collections.abc import Callable
from pathlib import Path

import msgspec

from dstack_backend.domain.backend_info import answer_with
from dstack_backend.domain.check import CheckResult
from dstack_backend.domain.failure import CheckFailure, Reason
from dstack_backend.domain.inventory import Gpu, GpuInventory
from dstack_backend.domain.ports import DStack
from dstack_backend.domain.status import assess
from dstack_backend.testing.contracts.backend_info import OK, UNAVAILABLE, check_answer
from dstack_backend.testing.contracts.sentence import check_sentence

__all__ = ["DStackContract", "FaithfulContract", "HangingContract", "check_result"]

REPETITIONS = 20
SETTLING = 1.0
"""Seconds for what was closed to be gone."""

TURNS_BEFORE_CANCEL = (0, 1, 2, 3, 5, 8, 13, 21)
MOMENT = 0.5
"""Seconds that scheduling on a busy machine may add to a deadline."""


def check_result(result: CheckResult) -> None:
    """Assert that a result is one of the two that there are, in good form and fit to publish."""
    assert isinstance(result, (GpuInventory, CheckFailure)), "an inventory or a failure"
    assert msgspec.convert(msgspec.to_builtins(result), type(result)) == result, (
        "of the right types"
    )
    if isinstance(result, CheckFailure):
        assert result.reason not in (Reason.STARTING, Reason.STALE), "those two are the monitor's"
        check_sentence(result.sentence)
    answer = answer_with(assess(result))
    check_answer(OK if answer.available else UNAVAILABLE, answer.body)


class DStackContract:
    """Holds for any source of GPUs, in whatever state it is while it is tested.

    Attributes:
        deadline: Seconds within which a call of this source promises to return.
    """

    deadline: float = 5.0

    def source(self) -> DStack:
        """Make the source under test."""
        raise NotImplementedError

    def test_a_call_brings_an_inventory_or_a_failure_that_can_be_published(self) -> None:
        """A call never raises, and what it brings makes a good answer for the worker."""
        check_result(asyncio.run(self.source().list_gpus()))

    def test_a_call_ends_by_its_deadline(self) -> None:
        """Whatever the source does, the caller has its result in time."""
        started = time.monotonic()
        asyncio.run(self.source().list_gpus())
        assert time.monotonic() - started < self.deadline + MOMENT

    def test_a_call_lets_others_work(self) -> None:
        """While it waits, the event loop runs: `/health` is answered during a check."""
        assert asyncio.run(_longest_pause_during(self.source())) < MOMENT

    def test_a_cancelled_call_is_cancelled_and_releases_everything(self) -> None:
        """A cancelled call ends as cancelled, whenever it comes, and leaves nothing open."""
        source = self.source()
        asyncio.run(source.list_gpus())  # what is made once and kept is no leak

        async def cancel_early_and_late() -> None:
            open_before = _open_descriptors()
            for turns in TURNS_BEFORE_CANCEL:
                await _cancel_after(turns, source)
            assert await _come_true(lambda: len(asyncio.all_tasks()) == 1), "no task is left"
            assert await _none_left_open(since=open_before)

        asyncio.run(cancel_early_and_late())

    def test_a_source_works_on_after_a_cancelled_call(self) -> None:
        """The call after a cancelled one brings a result as any other."""

        async def cancel_then_ask(source: DStack) -> CheckResult:
            await _cancel_after(3, source)
            return await source.list_gpus()

        check_result(asyncio.run(cancel_then_ask(self.source())))

    def test_repeated_calls_leak_no_descriptors(self) -> None:
        """Many calls leave as many descriptors open as one."""
        source = self.source()

        async def ask_often() -> None:
            await source.list_gpus()
            open_before = _open_descriptors()
            for _ in range(REPETITIONS):
                await source.list_gpus()
            assert await _none_left_open(since=open_before)

        asyncio.run(ask_often())


class FaithfulContract(DStackContract):
    """Holds for a source that a test can give an inventory to report."""

    def source_of(self, inventory: GpuInventory) -> DStack:
        """Make a source that has these GPUs."""
        raise NotImplementedError

    def source(self) -> DStack:
        """Make a source with a few GPUs."""
        return self.source_of(_SOME)

    def test_an_inventory_comes_as_it_is(self) -> None:
        """GPUs, their order, their texts and `allow_attach_all` arrive unchanged."""
        assert _reported(self.source_of(_SOME)) == _SOME
        other = msgspec.structs.replace(_SOME, gpus=_SOME.gpus[::-1], allow_attach_all=False)
        assert _reported(self.source_of(other)) == other

    def test_an_empty_inventory_is_an_inventory(self) -> None:
        """A source that is online and has no GPUs is no failure."""
        assert _reported(self.source_of(GpuInventory())) == GpuInventory()


class HangingContract:
    """Holds for a source that a test can make hang. Stands beside one of the other suites.

    Attributes:
        deadline: Seconds within which a call of this source promises to return.
    """

    deadline: float = 5.0

    def hanging_source(self) -> DStack:
        """Make a source that never answers."""
        raise NotImplementedError

    def test_a_call_that_gets_no_answer_times_out_by_its_deadline(self) -> None:
        """Silence is a failure with its own reason, in time."""
        started = time.monotonic()
        result = asyncio.run(self.hanging_source().list_gpus())
        assert isinstance(result, CheckFailure)
        assert result.reason is Reason.TIMED_OUT
        assert time.monotonic() - started < self.deadline + MOMENT
        check_result(result)

    def test_a_call_that_waits_is_cancelled_at_once(self) -> None:
        """Nobody has to wait for the deadline of a call that is not wanted any more."""

        async def cancel_in_the_middle() -> float:
            call = asyncio.ensure_future(self.hanging_source().list_gpus())
            await asyncio.wait({call}, timeout=self.deadline / 4)
            assert not call.done(), "it waits"
            open_before = _open_descriptors()
            started = time.monotonic()
            call.cancel()
            await asyncio.wait({call}, timeout=self.deadline)
            assert call.cancelled()
            waited = time.monotonic() - started
            assert await _none_left_open(since=open_before)
            return waited

        assert asyncio.run(cancel_in_the_middle()) < MOMENT


_SOME = GpuInventory(
    gpus=(
        Gpu(
            slot="0000:3b:00.0",
            product_id="10de:2335",
            description="NVIDIA Corporation GH100 [H200 SXM 141GB]",
            is_free=True,
        ),
        Gpu(slot="4c:00.0", product_id="10de:9999", description="", is_free=False),
        Gpu(slot="?", product_id="", description='"\\<b>\u00fc\u202e\x1b[1m\n', is_free=True),
    ),
    allow_attach_all=True,
)


def _reported(source: DStack) -> CheckResult:
    result = asyncio.run(source.list_gpus())
    if isinstance(result, GpuInventory):
        return msgspec.structs.replace(result, source_version=None)
    return result


async def _cancel_after(turns: int, source: DStack) -> None:
    call = asyncio.ensure_future(source.list_gpus())
    for _ in range(turns):
        await asyncio.sleep(0)
    was_under_way = call.cancel()
    await asyncio.wait({call})
    assert call.cancelled() == was_under_way, "a cancelled call says so"


async def _longest_pause_during(source: DStack) -> float:
    call = asyncio.ensure_future(source.list_gpus())
    longest, before = 0.0, time.monotonic()
    while not call.done():
        await asyncio.wait({call}, timeout=0.01)
        now = time.monotonic()
        longest, before = max(longest, now - before), now
    return longest


async def _none_left_open(since: int) -> bool:
    return await _come_true(lambda: _open_descriptors() <= since)


async def _come_true(condition: Callable[[], bool]) -> bool:
    """Wait for a condition: what is closed needs some turns of the loop to be gone."""
    deadline = time.monotonic() + SETTLING
    while not condition() and time.monotonic() < deadline:  # noqa: ASYNC110 - no event tells it
        await asyncio.sleep(0.005)
    return condition()


def _open_descriptors() -> int:
    return sum(1 for _ in Path("/dev/fd").iterdir())
