"""Where we run: on a host or in a container, and what `localhost` means there."""

from collections.abc import Mapping
from ipaddress import ip_address
from pathlib import Path

from msgspec import Struct

from dstack_backend.adapters.httpx_dstack import DStackAddress
from dstack_backend.app.doctor.finding import Finding, Step, ok, warning

__all__ = [
    "DOCKER_HOST",
    "KUBERNETES",
    "RuntimeEnvironment",
    "check_environment",
    "detect_environment",
    "is_ourselves",
    "leave_container",
]

DOCKER_HOST = "host.docker.internal"
KUBERNETES = "Kubernetes"

_MARKS = {".dockerenv": "Docker", "run/.containerenv": "Podman"}
_CGROUPS = {
    "kubepods": KUBERNETES,
    "docker": "Docker",
    "libpod": "Podman",
    "containerd": "containerd",
    "lxc": "LXC",
}


class RuntimeEnvironment(Struct, frozen=True):
    """Where we run.

    Attributes:
        container: What runs the container; `None` outside of one.
        own_network: The container has a network of its own, and a `localhost` of its own with it.
    """

    container: str | None = None
    own_network: bool = False


def detect_environment(root: Path, environ: Mapping[str, str]) -> RuntimeEnvironment:
    """Look where we run.

    Args:
        root: The root of the file system.
        environ: The environment's variables.
    """
    container = _container(root, environ)
    return RuntimeEnvironment(
        container, own_network=container is not None and not _sees_hardware(root)
    )


def _container(root: Path, environ: Mapping[str, str]) -> str | None:
    if "KUBERNETES_SERVICE_HOST" in environ:  # containerd leaves no other mark with cgroup v2
        return KUBERNETES
    for mark, name in _MARKS.items():
        if (root / mark).exists():
            return name
    try:
        groups = (root / "proc/self/cgroup").read_text(errors="replace")
    except OSError:
        return None
    return next((name for mark, name in _CGROUPS.items() if mark in groups), None)


def _sees_hardware(root: Path) -> bool:
    """Say whether network cards or bridges are seen: a container's own network has none."""
    cards = root / "sys/class/net"
    marks = ("device", "bridge")
    try:
        return any((card / mark).exists() for card in cards.iterdir() for mark in marks)
    except OSError:
        return False


def is_ourselves(host: str) -> bool:
    """Say whether a host's name or address always means the machine that asks."""
    name = host.lower().rstrip(".")
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        address = ip_address(name)
    except ValueError:
        return False
    return address.is_loopback or address.is_unspecified


def check_environment(environment: RuntimeEnvironment, address: DStackAddress) -> Finding:
    """Say where we run, and whether DStack's address can mean DStack from there."""
    if environment.container is None:
        return ok(Step.CONTAINER, "not in a container")
    where = f"in a container ({environment.container})"
    if not environment.own_network:
        return ok(Step.CONTAINER, f"{where} on the host's network: localhost is the host")
    if address.socket:
        return ok(Step.CONTAINER, f"{where}: DStack's socket must be mounted into it")
    if is_ourselves(address.host):
        text = f"{where}: {address.host} is the container itself, not the host"
        return warning(Step.CONTAINER, text, *leave_container(environment, address.port))
    return ok(Step.CONTAINER, f"{where} with a network of its own")


def leave_container(environment: RuntimeEnvironment, port: int) -> tuple[str, ...]:
    """Say how a DStack on the host is reached from a container."""
    if environment.container == KUBERNETES:
        return (
            "mount DStack's unix socket from the host (hostPath) and set DSTACK_URL=unix:/path",
            "or give the pod hostNetwork: true",
        )
    return (
        (
            f"set DSTACK_URL=http://{DOCKER_HOST}:{port}, and start the container with"
            f" --add-host {DOCKER_HOST}:host-gateway"
        ),
        "or mount DStack's unix socket, or start the container with --network host",
    )
