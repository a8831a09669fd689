"""The contract suites find what breaks the contract: one that passes everything proves nothing."""

import asyncio
import contextlib
import json
import os
import pkgutil
import sys
import time
from collections.abc import Iterator
from typing import Any

import pytest
from msgspec.structs import replace

from dstack_backend.domain import (
    CheckFailure,
    CheckResult,
    GpuInventory,
    GpuSource,
    Reason,
    assess,
    encode_health,
)
from dstack_backend.testing import contracts
from dstack_backend.testing.contracts import GpuSourceContract, check_answer
from tests.contract.kit.sources import GOOD, Call, Source, Suite


async def _raises() -> CheckResult:
    raise OSError("it should have been a value")


async def _gives_something_else() -> Any:
    return {"gpus": []}


async def _gives_wrong_types() -> CheckResult:
    return GpuInventory(gpus=(replace(GOOD.gpus[0], is_free="yes"),))


async def _shows_an_address() -> CheckResult:
    return CheckFailure(Reason.CONNECTION_FAILED, "no route to 10.0.0.1")


async def _shows_a_path() -> CheckResult:
    return CheckFailure(Reason.SOCKET_NOT_FOUND, "no socket at /var/run/vmm.sock")


async def _says_two_lines() -> CheckResult:
    return CheckFailure(Reason.HTTP_ERROR, "500\nCaused by: lspci")


async def _takes_a_reason_of_the_monitor() -> CheckResult:
    return CheckFailure(Reason.STALE)


async def _takes_too_long() -> CheckResult:
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


async def _leaks() -> CheckResult:
    _left_open.append(os.dup(0))
    return GOOD


async def _swallows_cancellation() -> CheckResult:
    with contextlib.suppress(asyncio.CancelledError):
        await asyncio.sleep(0.01)
    return GOOD


_left: list[asyncio.Task[bool]] = []


async def _leaves_a_task() -> CheckResult:
    _left.append(asyncio.create_task(asyncio.Event().wait()))
    await asyncio.sleep(0.01)
    return GOOD


PUBLISHED = "test_a_call_brings_an_inventory_or_a_failure_that_can_be_published"
CANCELLED = "test_a_cancelled_call_is_cancelled_and_releases_everything"

BREACHES: list[tuple[Call, str, str]] = [
    (_raises, PUBLISHED, r"a call raised OSError.*a failure is a value"),
    (_gives_something_else, PUBLISHED, r"and not \{'gpus': \[\]\}"),
    (_gives_wrong_types, PUBLISHED, r"Expected `bool`, got `str`"),
    (_shows_an_address, PUBLISHED, r"an address, '10\.0\.0\.1', is in 'Connection error: no route"),
    (_shows_a_path, PUBLISHED, r"a path, '/var/run/vmm\.sock', is in"),
    (_says_two_lines, PUBLISHED, r"<what is wrong>`: 'HTTP error: 500\\nCaused"),
    (_takes_a_reason_of_the_monitor, PUBLISHED, r"the reason stale is the monitor's"),
    (_takes_too_long, "test_a_call_ends_by_its_deadline", r"no result within 0\.2 s"),
    (_blocks_the_loop, "test_a_call_lets_others_work", r"the event loop stood still for 0\.\d s"),
    (_leaks, "test_repeated_calls_leak_no_descriptors", r"20 descriptors are left open"),
    (_leaks, CANCELLED, r"\d+ descriptors are left open"),
    (_swallows_cancellation, CANCELLED, r"a cancelled call ended with GpuInventory"),
    (_leaves_a_task, CANCELLED, r"a task is left"),
]


def _name(value: object) -> str:
    return str(getattr(value, "__name__", "by")).strip("_")


@pytest.mark.parametrize(("call", "test", "message"), BREACHES, ids=_name)
def test_a_source_that_breaks_its_promise_is_found(call: Call, test: str, message: str) -> None:
    """Each breach fails the test that is there for it, with a sentence that says what is wrong."""
    with pytest.raises((AssertionError, ValueError), match=message):
        getattr(Suite(call), test)()


def test_a_source_that_reports_something_else_is_found() -> None:
    """An inventory that is not the one it was given; both are shown."""

    async def always_the_same() -> CheckResult:
        return GOOD

    suite = Suite(always_the_same)
    with pytest.raises(AssertionError, match=r"what it was given\s+assert GpuInventory\("):
        suite.test_an_inventory_comes_as_it_is()
    with pytest.raises(AssertionError, match=r"what it was given\s+assert GpuInventory\("):
        suite.test_an_empty_inventory_is_an_inventory()


def test_a_source_that_hangs_beyond_its_deadline_is_found() -> None:
    """A call that does not time out by itself."""
    with pytest.raises(AssertionError, match=r"no result within 0\.2 s"):
        Suite(_takes_too_long).test_a_call_that_gets_no_answer_times_out_by_its_deadline()


def test_a_source_that_hangs_with_another_reason_is_found() -> None:
    """Silence has a reason of its own."""

    async def gives_up() -> CheckResult:
        return CheckFailure(Reason.CONNECTION_FAILED)

    suite = Suite(gives_up)
    with pytest.raises(AssertionError, match="the reason is timed_out, not connection_failed"):
        suite.test_a_call_that_gets_no_answer_times_out_by_its_deadline()
    with pytest.raises(AssertionError, match="ended long before its deadline"):
        suite.test_a_call_that_waits_is_cancelled_at_once()


def test_a_bare_assert_of_any_suite_shows_what_it_compared() -> None:
    """Pytest rewrites the modules of the suites, which it does not do for a library by itself."""
    for module in pkgutil.iter_modules(contracts.__path__):
        loaded = sys.modules[f"{contracts.__name__}.{module.name}"]
        assert "@pytest_ar" in vars(loaded), module.name


class TestASourceWithoutDStack(GpuSourceContract):
    """The least that another backend writes: a source, and nothing else."""

    def source(self) -> GpuSource:
        """Read GPUs from nowhere."""

        async def read() -> CheckResult:
            return await asyncio.to_thread(lambda: GOOD)

        return Source(read)


def _info(**changes: object) -> bytes:
    info: dict[str, object] = json.loads(encode_health(assess(GOOD)).body)
    return json.dumps(info | changes).encode()


def _metadata(**changes: object) -> bytes:
    metadata: dict[str, object] = json.loads(json.loads(_info())["metadata"])
    return _info(metadata=json.dumps(metadata | changes))


WRONG_ANSWERS = {
    "code": (503, _info()),
    "version": (200, _info(version="2.0.0")),
    "status": (200, _info(status="up")),
    "pubkeys": (200, _info(pubkeys=None)),
    "more": (200, _info(more=1)),
    "order": (200, json.dumps(dict(sorted(json.loads(_info()).items()))).encode()),
    "metadata-object": (200, _info(metadata={})),
    "metadata-text": (200, _info(metadata="fine")),
    "metadata-nan": (200, _info(metadata='{"gpu_count":NaN}')),
    "count": (200, _metadata(gpu_count=2)),
    "free": (200, _metadata(free_gpu_count=0)),
    "gpus": (200, _metadata(gpus=[1])),
    "sentence": (503, _info(status="unavailable", metadata="it is down")),
    "kind": (503, _info(status="unavailable", metadata="Other error: it is down")),
    "lines": (503, _info(status="unavailable", metadata="HTTP error: 500\n\nCaused by")),
    "address": (503, _info(status="unavailable", metadata="HTTP error: http://host: 500")),
    "not-json": (200, b"available"),
}


@pytest.mark.parametrize("name", WRONG_ANSWERS)
def test_a_wrong_answer_for_the_worker_is_found(name: str) -> None:
    """The check of `/health` answers passes the right one and none of these."""
    check_answer(200, _info())
    with pytest.raises(Exception, match=r"."):
        check_answer(*WRONG_ANSWERS[name])
