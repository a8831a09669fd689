"""The doctor: where we run, what the name of DStack stands for, and where the worker finds us."""

from pathlib import Path

import pytest

from dstack_backend.adapters.httpx_dstack import parse_address
from dstack_backend.app.config.settings import ListenAddress
from dstack_backend.app.doctor.dns import check_dns
from dstack_backend.app.doctor.environment import (
    RuntimeEnvironment,
    check_environment,
    detect_environment,
    is_ourselves,
)
from dstack_backend.app.doctor.finding import Verdict
from dstack_backend.app.doctor.worker import check_worker
from dstack_backend.domain.check import CheckFailure, Reason

HOST = RuntimeEnvironment()
DOCKER = RuntimeEnvironment("Docker", own_network=True)
DOCKER_ON_HOST_NETWORK = RuntimeEnvironment("Docker", own_network=False)
KUBERNETES = RuntimeEnvironment("Kubernetes", own_network=True)
LOCAL = parse_address("http://localhost:19060")
BY_DOCKER_NAME = parse_address("http://host.docker.internal:19060")
NOT_FOUND = CheckFailure(Reason.HOST_NOT_FOUND)


def make(root: Path, *paths: str, text: str = "") -> Path:
    """A file system that holds these files."""
    for path in paths:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)
    return root


@pytest.mark.parametrize(
    ("mark", "text", "name"),
    [
        (".dockerenv", "", "Docker"),
        ("run/.containerenv", "", "Podman"),
        ("proc/self/cgroup", "0::/kubepods.slice/kubepods-pod1.slice", "Kubernetes"),
        ("proc/self/cgroup", "5:cpu:/docker/0123", "Docker"),
        ("proc/self/cgroup", "0::/user.slice/user-0.slice", None),
    ],
)
def test_a_container_is_known_by_its_marks(
    tmp_path: Path, mark: str, text: str, name: str | None
) -> None:
    """Docker's and Podman's files, or the control group."""
    assert detect_environment(make(tmp_path, mark, text=text), {}).container == name


def test_kubernetes_is_known_by_its_variable(tmp_path: Path) -> None:
    """Its container runtime leaves no file, and with cgroup v2 no name."""
    environment = detect_environment(tmp_path, {"KUBERNETES_SERVICE_HOST": "192.0.2.1"})
    assert environment == RuntimeEnvironment("Kubernetes", own_network=True)


@pytest.mark.parametrize(
    ("card", "own"), [("lo/mtu", True), ("eth0/device", False), ("docker0/bridge", False)]
)
def test_a_container_on_the_hosts_network_sees_its_cards(
    tmp_path: Path, card: str, *, own: bool
) -> None:
    """Hardware and bridges are never within a network of a container's own."""
    root = make(tmp_path, ".dockerenv", f"sys/class/net/{card}")
    assert detect_environment(root, {}).own_network is own


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST.", "127.0.0.1", "127.9.9.9", "::1"])
def test_loopback_means_the_machine_itself(host: str) -> None:
    """By name, and by address."""
    assert is_ourselves(host)


@pytest.mark.parametrize("host", ["host.docker.internal", "192.0.2.1", "localhost.example"])
def test_other_names_and_addresses_do_not(host: str) -> None:
    """They may lead anywhere."""
    assert not is_ourselves(host)


@pytest.mark.parametrize("url", ["http://localhost:1", "http://127.0.0.1:1", "http://[::1]:1"])
def test_localhost_in_a_container_is_not_the_host(url: str) -> None:
    """The warning says how the host is reached instead."""
    found = check_environment(DOCKER, parse_address(url))
    assert found.verdict is Verdict.WARNING
    assert "--add-host host.docker.internal:host-gateway" in found.remedies[0]
    assert "hostPath" in check_environment(KUBERNETES, parse_address(url)).remedies[0]


@pytest.mark.parametrize(
    ("environment", "url"),
    [
        (HOST, "http://localhost:1"),
        (DOCKER_ON_HOST_NETWORK, "http://localhost:1"),
        (DOCKER, "http://host.docker.internal:1"),
        (DOCKER, "unix:/run/vmm.sock"),
    ],
)
def test_every_other_address_can_mean_dstack(environment: RuntimeEnvironment, url: str) -> None:
    """Outside of containers, on the host's network, by another name, or over a socket."""
    assert check_environment(environment, parse_address(url)).verdict is Verdict.OK


def test_the_addresses_of_a_name_are_told_by_ip_version() -> None:
    """One that has no IPv6 says so."""
    assert check_dns(("192.0.2.1", "2001:db8::1"), LOCAL, HOST).text == (
        "localhost: IPv4 192.0.2.1; IPv6 2001:db8::1"
    )
    many = check_dns(tuple(f"192.0.2.{n}" for n in range(9)), LOCAL, HOST)
    assert many.text.endswith("and 5 more; IPv6 none")


@pytest.mark.parametrize(
    ("environment", "cure"),
    [
        (DOCKER, "--add-host host.docker.internal:host-gateway"),
        (KUBERNETES, "hostPath"),
        (HOST, "DSTACK_URL=http://localhost:19060"),
    ],
)
def test_dockers_name_of_the_host_has_a_cure_of_its_own(
    environment: RuntimeEnvironment, cure: str
) -> None:
    """It depends on where we run."""
    found = check_dns(NOT_FOUND, BY_DOCKER_NAME, environment)
    assert (found.verdict, found.reason) == (Verdict.FAILED, Reason.HOST_NOT_FOUND)
    assert cure in found.remedies[0]


def test_an_unknown_name_is_told_from_a_look_up_that_nobody_answers() -> None:
    """A wrong name is cured in DSTACK_URL, silent name servers are not."""
    assert "DSTACK_URL right" in check_dns(NOT_FOUND, LOCAL, HOST).remedies[0]
    silent = CheckFailure(Reason.HOST_NOT_FOUND, "no name server answers")
    assert "name servers" in check_dns(silent, LOCAL, HOST).remedies[0]


@pytest.mark.parametrize(
    ("host", "environment", "verdict", "told"),
    [
        ("0.0.0.0", HOST, Verdict.OK, "--backend http://localhost:8080/health"),
        ("::", HOST, Verdict.OK, "--backend http://host.docker.internal:8080/health"),
        ("192.0.2.1", HOST, Verdict.OK, "--backend http://192.0.2.1:8080/health"),
        ("2001:db8::1", HOST, Verdict.OK, "--backend http://[2001:db8::1]:8080/health"),
        ("127.0.0.1", HOST, Verdict.WARNING, "--backend http://127.0.0.1:8080/health"),
        ("0.0.0.0", DOCKER, Verdict.OK, "-p 8080:8080"),
        ("127.0.0.1", DOCKER, Verdict.WARNING, "nobody outside"),
        ("0.0.0.0", KUBERNETES, Verdict.OK, "Service"),
    ],
)
def test_the_worker_is_pointed_at_an_address_that_fits(
    host: str, environment: RuntimeEnvironment, verdict: Verdict, told: str
) -> None:
    """It depends on where we listen and where we run."""
    found = check_worker(ListenAddress(host, 8080), environment)
    assert found.verdict is verdict
    assert told in found.text
