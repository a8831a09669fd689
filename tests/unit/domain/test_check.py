"""Reasons, failures and checks."""

import pytest
from hypothesis import given

from dstack_backend.domain import Check, CheckFailure, FailureCause, GpuInventory, Reason, Timestamp
from dstack_backend.testing.fakes import EPOCH
from dstack_backend.testing.strategies import failures

CONTRACT = {
    "starting": "Starting: no check has finished yet",
    "stale": "Stale: the last check finished too long ago",
    "connection_refused": "Connection error: connection refused",
    "host_not_found": "Connection error: host not found",
    "socket_not_found": "Connection error: socket not found",
    "permission_denied": "Connection error: permission denied",
    "timed_out": "Connection error: no answer in time",
    "connection_closed": "Connection error: connection closed before the answer was complete",
    "tls_failed": "Connection error: TLS failed",
    "connection_failed": "Connection error: connection failed",
    "unauthorized": "HTTP error: 401 Unauthorized",
    "http_error": "HTTP error: not 200 OK",
    "response_too_large": "Parse error: the answer is too large",
    "invalid_response": "Parse error: the answer is not as expected",
    "too_few_gpus": "Too few GPUs: fewer are listed than required",
}

KINDS = {"Starting", "Stale", "Connection error", "HTTP error", "Parse error", "Too few GPUs"}


def test_reasons_are_those_of_the_contract() -> None:
    """Dashboards and alerts use these codes: none is added or removed without the contract."""
    assert [reason.value for reason in Reason] == list(CONTRACT)


@pytest.mark.parametrize(("code", "message"), CONTRACT.items())
def test_failure_without_detail_has_the_message_of_its_reason(code: str, message: str) -> None:
    """Each code has one message."""
    assert Reason(code).summary == message
    assert CheckFailure(Reason(code)).message == message


@pytest.mark.parametrize("reason", list(Reason))
def test_detail_replaces_the_text_of_the_reason(reason: Reason) -> None:
    """The detail follows the kind; the cause is not part of the message."""
    failure = CheckFailure(reason, "a detail", FailureCause.NOT_HTTP)
    assert failure.message == f"{reason.kind}: a detail"


@pytest.mark.parametrize("reason", list(Reason))
def test_reason_of_a_failed_check_is_conclusive(reason: Reason) -> None:
    """`starting` and `stale` are not results of a check."""
    assert reason.is_conclusive == (reason.value not in ("starting", "stale"))


@given(failures())
def test_message_is_one_printable_line_that_starts_with_its_kind(failure: CheckFailure) -> None:
    """Failures of all reasons, with and without a detail, have the same form."""
    kind, _, rest = failure.message.partition(": ")
    assert kind == failure.reason.kind
    assert kind in KINDS
    assert rest == failure.detail_text != ""
    assert failure.message.isprintable()


def test_check_knows_its_duration_and_its_failure() -> None:
    """A check without a hint is a regular one."""
    failure = CheckFailure(Reason.TIMED_OUT)
    failed = Check(result=failure, started=10.0, finished=Timestamp(12.5, EPOCH))
    good = Check(result=GpuInventory(), started=10.0, finished=Timestamp(10.0, EPOCH))
    assert (failed.duration, failed.failure, failed.is_hinted) == (2.5, failure, False)
    assert (good.duration, good.failure) == (0.0, None)
