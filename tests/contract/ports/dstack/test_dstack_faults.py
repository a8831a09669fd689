"""Each fault of the table ends a check with its reason, over TCP and over a unix socket."""

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
"""Timeout in seconds for the faults that end by it."""

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
def test_fault_ends_a_check_in_time_with_its_reason(remote: Remote, name: str) -> None:
    """The message contains no text of the other side."""
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
def test_hostile_answer_is_an_inventory(remote: Remote, name: str) -> None:
    """It is well-formed, and so is the body that the worker reads."""
    result = _check(remote, HOSTILE_ANSWERS[name], ANSWERED)
    assert isinstance(result, GpuInventory), result
    assert result.source_version is None, "a version of another form is ignored"
    check_result(result)


def test_table_has_every_reason_of_an_answer() -> None:
    """The other reasons mean that there is no connection."""
    assert {fault.reason.value for fault in FAULTS.values()} == {
        "connection_closed",
        "timed_out",
        "unauthorized",
        "http_error",
        "response_too_large",
        "invalid_response",
    }
