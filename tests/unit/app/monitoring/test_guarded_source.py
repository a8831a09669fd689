"""Sources that break the contract of their port: checks go on, and one log line names the fault."""

import asyncio
import logging
from collections.abc import Callable
from typing import cast

import pytest
from msgspec import Struct

from dstack_backend.app.monitoring.guarded_source import GuardedSource
from dstack_backend.domain import (
    CheckFailure,
    CheckResult,
    GpuInventory,
    GpuSource,
    NodeIdentity,
    Reason,
)
from dstack_backend.testing.fakes import FakeGpuSource
from tests.unit.harness import MonitorHarness

MESSAGE = "Parse error: the source returned no inventory"


class BadMetadata(Struct, frozen=True):
    """Cannot be encoded."""

    value: object


class Unencodable(Struct, frozen=True):
    """An inventory by its form."""

    is_empty: bool = False
    summary: str = "1 thing"
    source_version: str | None = None

    def metadata(self) -> BadMetadata:
        """A struct with something in it that is not JSON."""
        return BadMetadata(object())


class SynchronousSource:
    """Has a `list_gpus` that is not async def."""

    def list_gpus(self) -> CheckResult:
        """Return at once."""
        return GpuInventory()


def returning(value: object) -> GpuSource:
    """Return a source that returns anything."""
    return FakeGpuSource(cast("Callable[[], CheckResult]", lambda: value))


def raising(error: Exception) -> GpuSource:
    """Return a source that raises."""

    def script() -> CheckResult:
        raise error

    return FakeGpuSource(script)


FAULTS: dict[str, tuple[GpuSource, str]] = {
    "dict": (
        returning({"gpus": []}),
        "FakeGpuSource: list_gpus() returned dict, not Inventory or CheckFailure",
    ),
    "none": (
        returning(None),
        "FakeGpuSource: list_gpus() returned NoneType, not Inventory or CheckFailure",
    ),
    "class instead of instance": (
        returning(CheckFailure),
        "FakeGpuSource: list_gpus() returned StructMeta, not Inventory or CheckFailure",
    ),
    "metadata": (
        returning(Unencodable()),
        "FakeGpuSource: list_gpus() or its inventory raised",
    ),
    "raises": (
        raising(RuntimeError("c4n4ry")),
        "FakeGpuSource: list_gpus() or its inventory raised",
    ),
    "raises TimeoutError": (
        raising(TimeoutError("c4n4ry")),
        "FakeGpuSource: list_gpus() or its inventory raised",
    ),
    "synchronous": (
        cast("GpuSource", SynchronousSource()),
        "SynchronousSource: list_gpus() must be async def",
    ),
}


@pytest.mark.parametrize(("source", "line"), FAULTS.values(), ids=FAULTS.keys())
def test_faulty_source_is_unavailable_and_logged_once(
    source: GpuSource, line: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Checks continue with the usual back-off, and the message repeats nothing of the fault."""
    node = MonitorHarness(source=source)
    node.run_for(39)
    starts = [check.started - node.observer.checks[0].started for check in node.observer.checks]
    assert starts == [0, 1, 3, 7, 15, 25, 35]
    assert node.health == MESSAGE
    assert node.announced == [(0, "invalid_response")]
    assert [record.getMessage() for record in caplog.records] == [line]


def test_raised_exception_is_logged_with_its_place(caplog: pytest.LogCaptureFixture) -> None:
    """The record has the exception; the log formats show type and place, not the text."""
    MonitorHarness(source=raising(KeyError("c4n4ry"))).run_for(3)
    (record,) = caplog.records
    assert record.levelno == logging.ERROR
    assert record.exc_info
    assert record.exc_info[0] is KeyError


def test_fault_is_logged_again_after_the_source_has_recovered(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """So is another type of exception."""
    outcomes: list[CheckResult | Exception] = [
        *(RuntimeError(), RuntimeError(), GpuInventory(), RuntimeError(), KeyError()),
    ]

    def script() -> CheckResult:
        outcome = outcomes.pop(0) if outcomes else GpuInventory()
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    node = MonitorHarness(script)
    node.run_for(60)
    types = [record.exc_info[0] for record in caplog.records if record.exc_info]
    assert types == [RuntimeError, RuntimeError, KeyError]
    assert node.health == "available"


@pytest.mark.parametrize("result", [GpuInventory(), CheckFailure(Reason.TIMED_OUT)])
def test_result_of_a_correct_source_is_passed_on(result: CheckResult) -> None:
    """The same object, with its encoded response."""
    guarded = GuardedSource(FakeGpuSource([result]), NodeIdentity(), limit=1.0)
    passed, response = asyncio.run(guarded.list_gpus())
    assert passed is result
    assert response.is_available == isinstance(result, GpuInventory)
