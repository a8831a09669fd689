"""Tests of the runtime environment: containers, local hosts, the address of DStack."""

from pathlib import Path

import pytest

from dstack_backend.adapters.httpx_dstack import parse_address
from dstack_backend.app.doctor.environment import (
    RuntimeEnvironment,
    check_environment,
    detect_environment,
    is_local_host,
)
from dstack_backend.app.doctor.finding import Verdict

HOST = RuntimeEnvironment()
DOCKER = RuntimeEnvironment("Docker", own_network=True)
DOCKER_ON_HOST_NETWORK = RuntimeEnvironment("Docker", own_network=False)
KUBERNETES = RuntimeEnvironment("Kubernetes", own_network=True)


def make_root(root: Path, *paths: str, text: str = "") -> Path:
    """Create these files and return the root of their file system."""
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
def test_container_is_detected_by_marks(
    tmp_path: Path, mark: str, text: str, name: str | None
) -> None:
    """The marks are the files of Docker and Podman, and the control group."""
    assert detect_environment(make_root(tmp_path, mark, text=text), {}).container == name


def test_kubernetes_is_detected_by_variable(tmp_path: Path) -> None:
    """Its container runtime leaves no file, and with cgroup v2 no name."""
    environment = detect_environment(tmp_path, {"KUBERNETES_SERVICE_HOST": "192.0.2.1"})
    assert environment == RuntimeEnvironment("Kubernetes", own_network=True)


@pytest.mark.parametrize(
    ("card", "own"), [("lo/mtu", True), ("eth0/device", False), ("docker0/bridge", False)]
)
def test_host_network_is_detected_by_network_cards(tmp_path: Path, card: str, *, own: bool) -> None:
    """Hardware and bridges are never visible in a container's own network."""
    root = make_root(tmp_path, ".dockerenv", f"sys/class/net/{card}")
    assert detect_environment(root, {}).own_network is own


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST.", "127.0.0.1", "127.9.9.9", "::1"])
def test_loopback_is_a_local_host(host: str) -> None:
    """By name and by address."""
    assert is_local_host(host)


@pytest.mark.parametrize("host", ["host.docker.internal", "192.0.2.1", "localhost.example"])
def test_other_names_and_addresses_are_not_local(host: str) -> None:
    """They may belong to any machine."""
    assert not is_local_host(host)


@pytest.mark.parametrize("url", ["http://localhost:1", "http://127.0.0.1:1", "http://[::1]:1"])
def test_localhost_in_a_container_is_a_warning(url: str) -> None:
    """The remedies say how a container reaches the host."""
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
def test_reachable_addresses_are_ok(environment: RuntimeEnvironment, url: str) -> None:
    """Outside of containers, on the host's network, by another name, or over a socket."""
    assert check_environment(environment, parse_address(url)).verdict is Verdict.OK
