"""Contract suites for the port `GpuSource`, with an inventory of any kind."""

import asyncio
import time
from collections.abc import Callable, Coroutine, Sequence
from typing import Generic, TypeVar

import msgspec

from dstack_backend.domain.backend_info import encode_health
from dstack_backend.domain.check import CheckFailure, Reason
from dstack_backend.domain.gpu import Gpu, GpuInventory, GpuInventoryMetadata
from dstack_backend.domain.inventory import Inventory
from dstack_backend.domain.ports import GpuSource
from dstack_backend.domain.status import assess
from dstack_backend.testing.contracts.backend_info import (
    OK,
    UNAVAILABLE,
    check_answer,
    check_backend_info,
)
from dstack_backend.testing.contracts.calls import (
    TOLERANCE,
    call,
    cancel,
    expect_no_leak,
    longest_block,
    run,
)

__all__ = [
    "GpuInventoryContract",
    "GpuSourceContract",
    "InventoryContract",
    "TimeoutContract",
    "check_result",
]

REPETITIONS = 20

ROUNDS_BEFORE_CANCEL = (0, 1, 2, 3, 5, 8, 13, 21)
SHARES_BEFORE_CANCEL = (0.25, 0.5, 0.75, 0.9)
"""When a call is cancelled: after rounds of the event loop, and after shares of its duration."""

AnyInventory = TypeVar("AnyInventory", bound=Inventory)


def check_result(result: object) -> None:
    """Assert that a result is an `Inventory` or a `CheckFailure` and that it can be published.

    The metadata of a `GpuInventory` must be exactly those of `GpuInventoryMetadata`; other
    metadata may have any fields.
    """
    if isinstance(result, (CheckFailure, GpuInventory)):
        _check_types(result)  # first: properties of an inventory may fail with wrong types
    assert isinstance(result, (CheckFailure, Inventory)), (
        f"list_gpus() must return an Inventory or a CheckFailure, not {result!r}"
    )
    check = check_answer
    if isinstance(result, CheckFailure):
        assert result.reason.is_conclusive, f"reason {result.reason} is reserved for the monitor"
    else:
        _check_inventory(result)
        if type(result.metadata()) is not GpuInventoryMetadata:
            check = check_backend_info
    response = encode_health(assess(result))
    check(OK if response.is_available else UNAVAILABLE, response.body)


def _check_inventory(inventory: Inventory) -> None:
    metadata: object = inventory.metadata()
    assert isinstance(metadata, msgspec.Struct), f"metadata() must return a Struct: {metadata!r}"
    _check_types(metadata)
    summary: object = inventory.summary
    assert isinstance(summary, str), f"summary must be a str: {summary!r}"
    assert summary, "summary must not be empty"
    assert summary.isprintable(), f"summary must be one printable line: {summary!r}"
    assert isinstance(inventory.is_empty, bool), f"is_empty must be a bool: {inventory.is_empty!r}"
    version: object = inventory.source_version
    assert isinstance(version, str | None), f"source_version must be a str or None: {version!r}"


def _check_types(value: msgspec.Struct) -> None:
    converted = msgspec.convert(msgspec.to_builtins(value), type(value))
    assert converted == value, f"a field has the wrong type: {value!r}"


class GpuSourceContract:
    """Contract of any source, in any state.

    Attributes:
        deadline: Seconds within which a call of this source returns.
    """

    deadline: float = 5.0

    def source(self) -> GpuSource:
        """Return the source under test."""
        raise NotImplementedError

    def test_call_returns_a_result_that_can_be_published(self) -> None:
        """A call does not raise, and its result becomes a valid body of `/health`."""
        check_result(run(call(self.source(), self.deadline)))

    def test_call_returns_within_its_deadline(self) -> None:
        """A call returns in time."""
        run(call(self.source(), self.deadline))

    def test_call_does_not_block_the_event_loop(self) -> None:
        """`/health` is answered during a check."""
        longest = run(longest_block(self.source(), self.deadline))
        assert longest < TOLERANCE, f"list_gpus() blocked the event loop for {longest:.1f} s"

    def test_cancelled_call_leaks_nothing(self) -> None:
        """A cancelled call ends as cancelled, at any time, and leaves nothing open."""
        self._expect_no_leak(_cancel_at_many_times)

    def test_source_works_after_a_cancelled_call(self) -> None:
        """The next call returns a result."""

        async def cancel_then_call(source: GpuSource) -> object:
            await _cancel_after_rounds(3, source, self.deadline)
            return await call(source, self.deadline)

        check_result(run(cancel_then_call(self.source())))

    def test_repeated_calls_leak_no_descriptors(self) -> None:
        """Many calls leave as many descriptors open as one."""
        self._expect_no_leak(_call_often)

    def _expect_no_leak(
        self, work: Callable[[GpuSource, float], Coroutine[object, object, None]]
    ) -> None:
        async def call_then_work(source: GpuSource) -> None:
            await call(source, self.deadline)  # what is created once and kept is no leak
            await expect_no_leak(work(source, self.deadline))

        run(call_then_work(self.source()))


class InventoryContract(GpuSourceContract, Generic[AnyInventory]):
    """Contract of a source whose inventory a test can set."""

    def inventories(self) -> Sequence[AnyInventory]:
        """Return inventories to try, an empty one among them."""
        raise NotImplementedError

    def source_of(self, inventory: AnyInventory) -> GpuSource:
        """Return a source with this inventory."""
        raise NotImplementedError

    def source(self) -> GpuSource:
        """Return a source with the first inventory."""
        return self.source_of(self.inventories()[0])

    def test_inventory_is_returned_unchanged(self) -> None:
        """All metadata arrive as they are; an empty inventory is an inventory."""
        for inventory in self.inventories():
            result = run(call(self.source_of(inventory), self.deadline))
            check_result(result)
            assert isinstance(result, Inventory), f"{inventory!r} became {result!r}"
            assert result.metadata() == inventory.metadata(), "the source changed the inventory"
            assert result.is_empty == inventory.is_empty, "the source changed is_empty"


class GpuInventoryContract(InventoryContract[GpuInventory]):
    """Contract of a source whose GPUs a test can set."""

    def inventories(self) -> Sequence[GpuInventory]:
        """Return GPUs with unusual texts, in both orders, and no GPU."""
        reverse = GpuInventory(gpus=_GPUS[::-1], allow_attach_all=False)
        return GpuInventory(gpus=_GPUS, allow_attach_all=True), reverse, GpuInventory()


_GPUS = (
    Gpu(
        slot="0000:3b:00.0",
        product_id="10de:2335",
        description="NVIDIA Corporation GH100 [H200 SXM 141GB]",
        is_free=True,
    ),
    Gpu(slot="4c:00.0", product_id="10de:9999", description="", is_free=False),
    Gpu(slot="?", product_id="", description='"\\<b>\u00fc\u202e\x1b[1m\n', is_free=True),
)


class TimeoutContract:
    """Contract of a source that a test can make hang. Use it beside one of the others."""

    deadline: float = 5.0

    def hanging_source(self) -> GpuSource:
        """Return a source that never gets an answer."""
        raise NotImplementedError

    def test_unanswered_call_times_out(self) -> None:
        """A call without an answer is a failure with reason `timed_out`, within its deadline."""
        result = run(call(self.hanging_source(), self.deadline))
        assert isinstance(result, CheckFailure), f"no answer must be a failure, not {result!r}"
        assert result.reason is Reason.TIMED_OUT, f"reason must be timed_out, not {result.reason}"
        check_result(result)

    def test_waiting_call_can_be_cancelled_at_once(self) -> None:
        """A cancelled call does not wait for its deadline."""

        async def cancel_waiting_call(source: GpuSource) -> None:
            task = asyncio.ensure_future(source.list_gpus())
            await asyncio.wait({task}, timeout=self.deadline / 4)
            assert not task.done(), "list_gpus() returned long before its deadline"
            await expect_no_leak(cancel(task, TOLERANCE))

        run(cancel_waiting_call(self.hanging_source()))


async def _call_often(source: GpuSource, deadline: float) -> None:
    for _ in range(REPETITIONS):
        await call(source, deadline)


async def _cancel_at_many_times(source: GpuSource, deadline: float) -> None:
    started = time.monotonic()
    await call(source, deadline)
    duration = time.monotonic() - started
    for rounds in ROUNDS_BEFORE_CANCEL:
        await _cancel_after_rounds(rounds, source, deadline)
    for share in SHARES_BEFORE_CANCEL:
        task = asyncio.ensure_future(source.list_gpus())
        await asyncio.sleep(share * duration)
        await cancel(task, deadline + TOLERANCE)


async def _cancel_after_rounds(rounds: int, source: GpuSource, deadline: float) -> None:
    task = asyncio.ensure_future(source.list_gpus())
    for _ in range(rounds):
        await asyncio.sleep(0)
    await cancel(task, deadline + TOLERANCE)
