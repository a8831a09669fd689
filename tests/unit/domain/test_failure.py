"""The reasons and their sentences."""

import pytest
from hypothesis import given

from dstack_backend.domain import CheckFailure, Reason
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
}

KINDS = {"Starting", "Stale", "Connection error", "HTTP error", "Parse error"}


def test_the_reasons_are_those_of_the_contract() -> None:
    """Dashboards and alerts hold these codes: none goes, none comes without the contract."""
    assert [reason.value for reason in Reason] == list(CONTRACT)


@pytest.mark.parametrize(("code", "message"), CONTRACT.items())
def test_a_failure_without_a_detail_says_the_reason_in_words(code: str, message: str) -> None:
    """Each code has one sentence, and the failure's is that of its reason."""
    assert Reason(code).summary == message
    assert CheckFailure(Reason(code)).message == message


@pytest.mark.parametrize("reason", list(Reason))
def test_a_detail_takes_the_place_of_the_reasons_own_words(reason: Reason) -> None:
    """What is wrong follows the kind."""
    assert CheckFailure(reason, "this and that").message == f"{reason.kind}: this and that"


@given(failures())
def test_a_sentence_is_one_printable_line_that_starts_with_its_kind(failure: CheckFailure) -> None:
    """A failure of any reason, with and without a detail, reads the same way."""
    kind, _, rest = failure.message.partition(": ")
    assert kind == failure.reason.kind
    assert kind in KINDS
    assert rest
    assert failure.message.isprintable()
