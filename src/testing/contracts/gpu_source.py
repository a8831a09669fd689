"""What the port `DStack` promises, as suites over any source of GPUs."""

import asyncio
import time
from collections.abc import Callable
from pathlib import Path

import msgspec

from dstack_backend.domain.backend_info import encode_health
from dstack_backend.domain.check import CheckFailure, CheckResult, Reason
from dstack_backend.domain.gpu import Gpu, GpuInventory
from dstack_backend.domain.ports import GpuSource
from dstack_backend.domain.status import assess
from dstack_backend.testing.contracts.backend_info import OK, UNAVAILABLE, check_answer
from dstack_backend.testing.contracts.calls import (
    MOMENT,
    ask,
    begin,
    cancel,
    longest_pause_during,
    run,
)
from dstack_backend.testing.contracts.message import check_message

__all__ = ["GpuSourceContract", "InventoryContract", "TimeoutContract", "check_result"]

REPETITIONS = 20
SETTLING = 1.0
"""Seconds for what was closed to be gone."""

TURNS_BEFORE_CANCEL = (0, 1, 2, 3, 5, 8, 13, 21)
SHARES_BEFORE_CANCEL = (0.25, 0.5, 0.75, 0.9)
"""When a call is cancelled: after turns of the event loop, and after shares of its duration."""


def check_result(result: CheckResult) -> None:
    """Assert that a result is one of the two that there are, in good form and fit to publish."""
    assert isinstance(result, (GpuInventory, CheckFailure)), (
        f"a call brings a GpuInventory or a CheckFailure, and not {result!r}"
    )
    assert msgspec.convert(msgspec.to_builtins(result), type(result)) == result, (
        f"fields of the right types are not all that is in {result!r}"
    )
    if isinstance(result, CheckFailure):
        assert result.reason not in (Reason.STARTING, Reason.STALE), (
            f"the reason {result.reason} is the monitor's"
        )
        check_message(result.message)
    answer = encode_health(assess(result))
    check_answer(OK if answer.is_available else UNAVAILABLE, answer.body)


class GpuSourceContract:
    """Holds for any source of GPUs, in whatever state it is while it is tested.

    Attributes:
        deadline: Seconds within which a call of this source promises to return.
    """

    deadline: float = 5.0

    def source(self) -> GpuSource:
        """Make the source under test."""
        raise NotImplementedError

    def test_a_call_brings_an_inventory_or_a_failure_that_can_be_published(self) -> None:
        """A call never raises, and what it brings makes a good answer for the worker."""
        check_result(run(ask(self.source(), self.deadline)))

    def test_a_call_ends_by_its_deadline(self) -> None:
        """Whatever the source does, the caller has its result in time."""
        run(ask(self.source(), self.deadline))

    def test_a_call_lets_others_work(self) -> None:
        """While it waits, the event loop runs: `/health` is answered during a check."""
        longest = run(longest_pause_during(self.source(), self.deadline))
        assert longest < MOMENT, f"the event loop stood still for {longest:.1f} s"

    def test_a_cancelled_call_is_cancelled_and_releases_everything(self) -> None:
        """A cancelled call ends as cancelled, whenever it comes, and leaves nothing open."""

        async def cancel_early_and_late(source: GpuSource) -> None:
            await ask(source, self.deadline)  # what is made once and kept is no leak
            open_before = _open_descriptors()
            await _cancel_all_along(source, self.deadline)
            assert await _come_true(lambda: len(asyncio.all_tasks()) == 1), "a task is left"
            await _expect_none_left_open(since=open_before)

        run(cancel_early_and_late(self.source()))

    def test_a_source_works_on_after_a_cancelled_call(self) -> None:
        """The call after a cancelled one brings a result as any other."""

        async def cancel_then_ask(source: GpuSource) -> CheckResult:
            await _cancel_after_turns(3, source, self.deadline)
            return await ask(source, self.deadline)

        check_result(run(cancel_then_ask(self.source())))

    def test_repeated_calls_leak_no_descriptors(self) -> None:
        """Many calls leave as many descriptors open as one."""

        async def ask_often(source: GpuSource) -> None:
            await ask(source, self.deadline)
            open_before = _open_descriptors()
            for _ in range(REPETITIONS):
                await ask(source, self.deadline)
            await _expect_none_left_open(since=open_before)

        run(ask_often(self.source()))


class InventoryContract(GpuSourceContract):
    """Holds for a source that a test can give an inventory to report."""

    def source_of(self, inventory: GpuInventory) -> GpuSource:
        """Make a source that has these GPUs."""
        raise NotImplementedError

    def source(self) -> GpuSource:
        """Make a source with a few GPUs."""
        return self.source_of(_SOME)

    def test_an_inventory_comes_as_it_is(self) -> None:
        """GPUs, their order, their texts and `allow_attach_all` arrive unchanged."""
        other = msgspec.structs.replace(_SOME, gpus=_SOME.gpus[::-1], allow_attach_all=False)
        for inventory in (_SOME, other):
            self._expect_reported(inventory)

    def test_an_empty_inventory_is_an_inventory(self) -> None:
        """A source that is online and has no GPUs is no failure."""
        self._expect_reported(GpuInventory())

    def _expect_reported(self, inventory: GpuInventory) -> None:
        result = run(ask(self.source_of(inventory), self.deadline))
        if isinstance(result, GpuInventory):
            result = msgspec.structs.replace(result, source_version=None)
        assert result == inventory, "the source reports what it was given"


class TimeoutContract:
    """Holds for a source that a test can make hang. Stands beside one of the other suites.

    Attributes:
        deadline: Seconds within which a call of this source promises to return.
    """

    deadline: float = 5.0

    def hanging_source(self) -> GpuSource:
        """Make a source that never answers."""
        raise NotImplementedError

    def test_a_call_that_gets_no_answer_times_out_by_its_deadline(self) -> None:
        """Silence is a failure with its own reason, in time."""
        result = run(ask(self.hanging_source(), self.deadline))
        assert isinstance(result, CheckFailure), f"silence is a failure, and not {result!r}"
        assert result.reason is Reason.TIMED_OUT, f"the reason is timed_out, not {result.reason}"
        check_result(result)

    def test_a_call_that_waits_is_cancelled_at_once(self) -> None:
        """Nobody has to wait for the deadline of a call that is not wanted any more."""

        async def cancel_in_the_middle(source: GpuSource) -> None:
            call = begin(source)
            await asyncio.wait({call}, timeout=self.deadline / 4)
            assert not call.done(), "a call that gets no answer ended long before its deadline"
            open_before = _open_descriptors()
            await cancel(call, MOMENT)
            await _expect_none_left_open(since=open_before)

        run(cancel_in_the_middle(self.hanging_source()))


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


async def _cancel_all_along(source: GpuSource, deadline: float) -> None:
    started = time.monotonic()
    await ask(source, deadline)
    duration = time.monotonic() - started
    for turns in TURNS_BEFORE_CANCEL:
        await _cancel_after_turns(turns, source, deadline)
    for share in SHARES_BEFORE_CANCEL:
        call = begin(source)
        await asyncio.sleep(share * duration)
        await cancel(call, deadline + MOMENT)


async def _cancel_after_turns(turns: int, source: GpuSource, deadline: float) -> None:
    call = begin(source)
    for _ in range(turns):
        await asyncio.sleep(0)
    await cancel(call, deadline + MOMENT)


async def _expect_none_left_open(since: int) -> None:
    await _come_true(lambda: _open_descriptors() <= since)
    left = _open_descriptors() - since
    assert left <= 0, f"{left} descriptors are left open"


async def _come_true(condition: Callable[[], bool]) -> bool:
    """Wait for a condition: what is closed needs some turns of the loop to be gone."""
    deadline = time.monotonic() + SETTLING
    while not condition() and time.monotonic() < deadline:  # noqa: ASYNC110 - no event tells it
        await asyncio.sleep(0.005)
    return condition()


def _open_descriptors() -> int:
    return sum(1 for _ in Path("/dev/fd").iterdir())
