"""Each fault of the table, over TCP and over a unix socket, ends a check with its reason."""

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from dstack_backend.adapters.httpx_dstack import HttpxDStack, parse_address
from dstack_backend.domain import CheckFailure, CheckResult, GpuInventory, Reason
from dstack_backend.testing.contracts import check_result
from dstack_backend.testing.faults import CANARY, FAULTS, HOSTILE_ANSWERS
from dstack_backend.testing.simulated_dstack import Behaviour, Remote, SimulatedDStack, in_thread

HANGING = 0.25
"""Seconds for a check that ends only by its deadline: each takes them whole."""

ANSWERED = 10.0
A_BUSY_MACHINE = 2.0


@pytest.fixture(scope="module", params=["tcp", "unix"])
def remote(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Remote]:
    """A simulated DStack on each transport."""
    unix = request.param == "unix"
    path: Path | None = tmp_path_factory.mktemp("dstack") / "vmm.sock" if unix else None
    with in_thread(SimulatedDStack(), path) as remote:
        yield remote


def _check(remote: Remote, behaviour: Behaviour, timeout: float) -> CheckResult:
    remote.dstack.behaviour = behaviour
    return asyncio.run(HttpxDStack(parse_address(remote.url), timeout=timeout).list_gpus())


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_ends_a_check_in_time_with_its_reason_and_says_nothing_of_its_own(
    remote: Remote, name: str
) -> None:
    """The reason is the fault's, the sentence is ours, the deadline holds."""
    fault = FAULTS[name]
    timeout = HANGING if fault.reason is Reason.TIMED_OUT else ANSWERED
    started = time.monotonic()
    result = _check(remote, fault.behaviour, timeout)
    assert isinstance(result, CheckFailure)
    assert result.reason is fault.reason, result.message
    assert time.monotonic() - started < HANGING + A_BUSY_MACHINE
    check_result(result)
    assert not any(part in result.message for part in ("canary", "10.66", CANARY))


@pytest.mark.parametrize("name", HOSTILE_ANSWERS)
def test_a_hostile_answer_is_an_inventory_all_the_same(remote: Remote, name: str) -> None:
    """What is well-formed counts, however it looks; what the worker reads of it is well-formed."""
    result = _check(remote, HOSTILE_ANSWERS[name], ANSWERED)
    assert isinstance(result, GpuInventory), result
    assert result.source_version is None, "a version that does not look like one is not shown"
    check_result(result)


def test_every_reason_that_an_answer_can_have_is_in_the_table() -> None:
    """The table of faults is complete; the others are reasons for no connection at all."""
    assert {fault.reason.value for fault in FAULTS.values()} == {
        "connection_closed",
        "timed_out",
        "unauthorized",
        "http_error",
        "response_too_large",
        "invalid_response",
    }
