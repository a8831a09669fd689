"""Tests of the check of the connection."""

import pytest

from dstack_backend.adapters.httpx_dstack import parse_address
from dstack_backend.app.doctor.dstack.network import check_connection
from dstack_backend.app.doctor.environment import RuntimeEnvironment
from dstack_backend.app.doctor.finding import Verdict
from dstack_backend.domain.check import CheckFailure, Reason

HOST = RuntimeEnvironment()
DOCKER = RuntimeEnvironment("Docker", own_network=True)
LOCAL = parse_address("http://localhost:19060")
REFUSED = CheckFailure(Reason.CONNECTION_REFUSED)


def test_one_reachable_address_is_enough() -> None:
    """The failures of the others are shown."""
    found = check_connection({"::1": REFUSED, "127.0.0.1": 0.001}, LOCAL, HOST)
    assert found.verdict is Verdict.OK
    assert found.text == "connected to 127.0.0.1 in 1.0 ms (::1: connection refused)"
    assert found.seconds == 0.001


@pytest.mark.parametrize(
    ("url", "environment", "failure", "remedy"),
    [
        ("http://localhost:19060", HOST, REFUSED, "ss -ltn 'sport = :19060'"),
        ("http://localhost:19060", DOCKER, REFUSED, "host.docker.internal:19060"),
        ("http://host.docker.internal:1", DOCKER, REFUSED, "127.0.0.1 only"),
        ("http://192.0.2.1", HOST, CheckFailure(Reason.TIMED_OUT), "firewall"),
        ("http://192.0.2.1:1", HOST, REFUSED, "127.0.0.1 only"),
        ("unix:/vmm.sock", HOST, REFUSED, "is DStack running"),
        ("unix:/vmm.sock", DOCKER, REFUSED, "mount the socket's folder"),
        ("unix:/vmm.sock", HOST, CheckFailure(Reason.CONNECTION_FAILED), "path in DSTACK_URL"),
    ],
)
def test_failed_connection_has_a_fitting_remedy(
    url: str, environment: RuntimeEnvironment, failure: CheckFailure, remedy: str
) -> None:
    """It depends on the address, the environment and the reason."""
    found = check_connection({"there": failure}, parse_address(url), environment)
    assert (found.verdict, found.reason) == (Verdict.FAILED, failure.reason)
    assert any(remedy in each for each in found.remedies)
