"""Tests of the address that dephy-worker needs."""

import pytest

from dstack_backend.app.config.settings import ListenAddress
from dstack_backend.app.doctor.environment import RuntimeEnvironment
from dstack_backend.app.doctor.finding import Verdict
from dstack_backend.app.doctor.service.worker import check_worker

HOST = RuntimeEnvironment()
DOCKER = RuntimeEnvironment("Docker", own_network=True)
KUBERNETES = RuntimeEnvironment("Kubernetes", own_network=True)


@pytest.mark.parametrize(
    ("host", "environment", "verdict", "text"),
    [
        ("0.0.0.0", HOST, Verdict.OK, "--backend http://localhost:8080/health"),
        ("*", HOST, Verdict.OK, "--backend http://localhost:8080/health"),
        ("::", HOST, Verdict.OK, "--backend http://host.docker.internal:8080/health"),
        ("192.0.2.1", HOST, Verdict.OK, "--backend http://192.0.2.1:8080/health"),
        ("2001:db8::1", HOST, Verdict.OK, "--backend http://[2001:db8::1]:8080/health"),
        ("127.0.0.1", HOST, Verdict.WARNING, "--backend http://127.0.0.1:8080/health"),
        ("0.0.0.0", DOCKER, Verdict.OK, "-p 8080:8080"),
        ("127.0.0.1", DOCKER, Verdict.WARNING, "from outside of this container"),
        ("0.0.0.0", KUBERNETES, Verdict.OK, "Service"),
    ],
)
def test_backend_option_depends_on_address_and_environment(
    host: str, environment: RuntimeEnvironment, verdict: Verdict, text: str
) -> None:
    """Loopback is a warning: a worker elsewhere cannot reach it."""
    found = check_worker(ListenAddress(host, 8080), environment)
    assert found.verdict is verdict
    assert text in found.text


def test_backend_option_fits_the_ip_version_of_the_address() -> None:
    """`localhost` may be 127.0.0.1 only, and Docker's host-gateway is an IPv4 address."""
    v6 = check_worker(ListenAddress("::", 8080), HOST).text
    assert "host-gateway" not in v6
    assert "worker on this host: --backend http://[::1]:8080/health; over IPv6 only" in v6
    v4 = check_worker(ListenAddress("0.0.0.0", 8080), KUBERNETES).text
    assert v4.endswith("; over IPv4 only")
    assert "only" not in check_worker(ListenAddress("192.0.2.1", 8080), DOCKER).text
