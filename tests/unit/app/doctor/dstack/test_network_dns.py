"""Tests of the check of the name look-up."""

import pytest

from dstack_backend.adapters.httpx_dstack import parse_address
from dstack_backend.app.doctor.dstack.network import check_dns
from dstack_backend.app.doctor.environment import RuntimeEnvironment
from dstack_backend.app.doctor.finding import Verdict
from dstack_backend.domain.check import CheckFailure, FailureCause, Reason

HOST = RuntimeEnvironment()
DOCKER = RuntimeEnvironment("Docker", own_network=True)
KUBERNETES = RuntimeEnvironment("Kubernetes", own_network=True)
LOCAL = parse_address("http://localhost:19060")
DOCKER_HOST = parse_address("http://host.docker.internal:19060")
NOT_FOUND = CheckFailure(Reason.HOST_NOT_FOUND)


def test_addresses_are_shown_by_ip_version() -> None:
    """A version may have no address; of many addresses some are shown."""
    assert check_dns(("192.0.2.1", "2001:db8::1"), LOCAL, HOST).text == (
        "localhost: IPv4 192.0.2.1; IPv6 2001:db8::1"
    )
    many = check_dns(tuple(f"192.0.2.{n}" for n in range(9)), LOCAL, HOST)
    assert many.text.endswith("192.0.2.3, 5 more; IPv6 none")


@pytest.mark.parametrize(
    ("environment", "remedy"),
    [
        (DOCKER, "--add-host host.docker.internal:host-gateway"),
        (KUBERNETES, "hostPath"),
        (HOST, "DSTACK_URL=http://localhost:19060"),
    ],
)
def test_docker_host_name_has_its_own_remedy(environment: RuntimeEnvironment, remedy: str) -> None:
    """The remedy depends on the environment."""
    found = check_dns(NOT_FOUND, DOCKER_HOST, environment)
    assert (found.verdict, found.reason) == (Verdict.FAILED, Reason.HOST_NOT_FOUND)
    assert remedy in found.remedies[0]


@pytest.mark.parametrize(
    ("failure", "text", "remedy"),
    [
        (NOT_FOUND, "host not found", "DSTACK_URL right"),
        (
            CheckFailure(Reason.HOST_NOT_FOUND, "x", FailureCause.NAME_SERVER_UNREACHABLE),
            "x",
            "name servers",
        ),
        (CheckFailure(Reason.TIMED_OUT), "no answer in time", "name servers"),
    ],
)
def test_unknown_name_and_unreachable_name_server_have_different_remedies(
    failure: CheckFailure, text: str, remedy: str
) -> None:
    """The cause decides, and not the words of the detail."""
    found = check_dns(failure, LOCAL, HOST)
    assert found.text == f"localhost: name look-up failed: {text}"
    assert remedy in found.remedies[0]
