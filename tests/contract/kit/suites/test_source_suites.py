"""The suites for sources find each breach of the contract, and pass any valid source."""

import asyncio
import contextlib
import os
import pkgutil
import sys
import time
from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from msgspec import Struct
from msgspec.structs import replace

from dstack_backend.domain import CheckFailure, CheckResult, GpuInventory, GpuSource, Reason
from dstack_backend.testing import contracts
from dstack_backend.testing.contracts import GpuSourceContract, InventoryContract, check_result
from tests.contract.kit.suites.sources import GOOD, Call, Source, Suite


async def _raises() -> CheckResult:
    raise OSError("it should have been a value")


async def _returns_a_dict() -> Any:
    return {"gpus": []}


async def _returns_wrong_types() -> CheckResult:
    return GpuInventory(gpus=(replace(GOOD.gpus[0], is_free="yes"),))


async def _publishes_an_address() -> CheckResult:
    return CheckFailure(Reason.CONNECTION_FAILED, "no route to 10.0.0.1")


async def _publishes_a_path() -> CheckResult:
    return CheckFailure(Reason.SOCKET_NOT_FOUND, "no socket at /var/run/vmm.sock")


async def _publishes_two_lines() -> CheckResult:
    return CheckFailure(Reason.HTTP_ERROR, "500\nCaused by: lspci")


async def _uses_a_reason_of_the_monitor() -> CheckResult:
    return CheckFailure(Reason.STALE)


async def _is_late() -> CheckResult:
    await asyncio.sleep(1)
    return GOOD


async def _blocks_the_loop() -> CheckResult:
    time.sleep(0.7)  # noqa: ASYNC251 - that is the fault
    return GOOD


_left_open: list[int] = []


@pytest.fixture(autouse=True)
def _close() -> Iterator[None]:
    yield
    while _left_open:
        os.close(_left_open.pop())


async def _leaks_a_descriptor() -> CheckResult:
    _left_open.append(os.dup(0))
    return GOOD


async def _suppresses_cancellation() -> CheckResult:
    with contextlib.suppress(asyncio.CancelledError):
        await asyncio.sleep(0.01)
    return GOOD


_tasks: list[asyncio.Task[bool]] = []


async def _leaks_a_task() -> CheckResult:
    _tasks.append(asyncio.create_task(asyncio.Event().wait()))
    await asyncio.sleep(0.01)
    return GOOD


PUBLISHED = "test_call_returns_a_result_that_can_be_published"
CANCELLED = "test_cancelled_call_leaks_nothing"

BREACHES: list[tuple[Call, str, str]] = [
    (_raises, PUBLISHED, r"raised OSError.*; it must return a CheckFailure instead"),
    (_returns_a_dict, PUBLISHED, r"must return an Inventory or a CheckFailure, not \{'gpus': \[\]"),
    (_returns_wrong_types, PUBLISHED, r"Expected `bool`, got `str`"),
    (_publishes_an_address, PUBLISHED, r"contains an address, '10\.0\.0\.1': 'Connection error: "),
    (_publishes_a_path, PUBLISHED, r"contains a path, '/var/run/vmm\.sock': "),
    (_publishes_two_lines, PUBLISHED, r"is not `<Kind>: <detail>`: 'HTTP error: 500\\nCaused"),
    (_uses_a_reason_of_the_monitor, PUBLISHED, r"reason stale is reserved for the monitor"),
    (_is_late, "test_call_returns_within_its_deadline", r"did not return within 0\.2 s"),
    (
        _blocks_the_loop,
        "test_call_does_not_block_the_event_loop",
        r"blocked the event loop for 0\.\d s",
    ),
    (
        _leaks_a_descriptor,
        "test_repeated_calls_leak_no_descriptors",
        r"20 descriptors are still open",
    ),
    (_leaks_a_descriptor, CANCELLED, r"\d+ descriptors are still open"),
    (_suppresses_cancellation, CANCELLED, r"was cancelled and ended with GpuInventory"),
    (_leaks_a_task, CANCELLED, r"a task is still running"),
]


def _name(value: object) -> str:
    return str(getattr(value, "__name__", "message")).strip("_")


@pytest.mark.parametrize(("call", "test", "message"), BREACHES, ids=_name)
def test_breach_fails_its_test_with_a_clear_message(call: Call, test: str, message: str) -> None:
    """The message says what the source did."""
    with pytest.raises((AssertionError, ValueError), match=message):
        getattr(Suite(call), test)()


def test_changed_inventory_is_found() -> None:
    """A source that always returns the same inventory fails; both inventories are shown."""

    async def always_the_same() -> CheckResult:
        return GOOD

    message = r"the source changed the inventory\s+assert GpuInventoryMetadata\("
    with pytest.raises(AssertionError, match=message):
        Suite(always_the_same).test_inventory_is_returned_unchanged()


def test_missing_timeout_is_found() -> None:
    """A call that does not end by itself fails."""
    with pytest.raises(AssertionError, match=r"did not return within 0\.2 s"):
        Suite(_is_late).test_unanswered_call_times_out()


def test_wrong_reason_of_a_timeout_is_found() -> None:
    """A timeout has its own reason, and does not come early."""

    async def gives_up() -> CheckResult:
        return CheckFailure(Reason.CONNECTION_FAILED)

    suite = Suite(gives_up)
    with pytest.raises(AssertionError, match="must be timed_out, not connection_failed"):
        suite.test_unanswered_call_times_out()
    with pytest.raises(AssertionError, match="returned long before its deadline"):
        suite.test_waiting_call_can_be_cancelled_at_once()


def test_pytest_shows_the_values_of_a_failed_assert() -> None:
    """Pytest rewrites the modules of the suites, which it does not do for a library by itself."""
    for module in pkgutil.iter_modules(contracts.__path__):
        loaded = sys.modules[f"{contracts.__name__}.{module.name}"]
        assert "@pytest_ar" in vars(loaded), module.name


class TestMinimalSource(GpuSourceContract):
    """The suite passes a minimal source."""

    def source(self) -> GpuSource:
        """Return a source that reads its inventory in a thread."""

        async def read() -> CheckResult:
            return await asyncio.to_thread(lambda: GOOD)

        return Source(read)


class DiskMetadata(Struct, frozen=True):
    """Metadata of disks."""

    disks: dict[str, float]


class Disks(Struct, frozen=True):
    """An inventory that is not of GPUs."""

    disks: dict[str, float]
    is_empty: bool = False
    summary: str = "2 disks"
    source_version: str | None = None

    def metadata(self) -> DiskMetadata:
        """Return the disks."""
        return DiskMetadata(self.disks)


class TestOtherInventory(InventoryContract[Disks]):
    """The suite passes a source whose inventory is not of GPUs."""

    def inventories(self) -> Sequence[Disks]:
        """Return two disks, and none."""
        return Disks({"sda": 0.5, "sdb": 1e12}), Disks({}, is_empty=True)

    def source_of(self, inventory: Disks) -> GpuSource:
        """Return a source of these disks."""

        async def read() -> CheckResult:
            return inventory

        return Source(read)


class NoStruct:
    """An inventory whose metadata are no struct."""

    is_empty = False
    summary = "2 disks"
    source_version = None

    def metadata(self) -> Any:
        """Return a list."""
        return ["sda", "sdb"]


@pytest.mark.parametrize(
    ("inventory", "message"),
    [
        (NoStruct(), r"metadata\(\) must return a Struct: \['sda', 'sdb'\]"),
        (Disks({"sda": "free"}), "Expected `float`, got `str`"),  # type: ignore[dict-item] # pyright: ignore[reportArgumentType] - that is the fault
        (Disks({}, summary=""), "summary must not be empty"),
        (Disks({}, summary="2\ndisks"), "summary must be one printable line"),
        (Disks({}, source_version=b"1"), "source_version must be a str or None"),  # type: ignore[arg-type] # pyright: ignore[reportArgumentType] - that is the fault
    ],
)
def test_invalid_inventory_is_found(inventory: object, message: str) -> None:
    """Inventories that are not of GPUs are checked too."""
    with pytest.raises((AssertionError, ValueError), match=message):
        check_result(inventory)
