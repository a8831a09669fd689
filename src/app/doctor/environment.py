"""Detects whether the service runs in a container, and what `localhost` means there."""

import os
from collections.abc import Mapping
from ipaddress import ip_address
from pathlib import Path

from msgspec import Struct, field

from dstack_backend.adapters.httpx_dstack import DStackAddress
from dstack_backend.app.doctor.finding import Finding, Step, ok, warning

__all__ = ["DOCKER_HOST", "KUBERNETES", "ProcessUser", "RuntimeEnvironment"]
__all__ += ["check_environment", "detect_environment", "is_local_host"]

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


class ProcessUser(Struct, frozen=True):
    """The effective user and all groups of a process; by default of this one."""

    uid: int = field(default_factory=os.geteuid)
    gids: tuple[int, ...] = field(
        default_factory=lambda: tuple(sorted({os.getegid(), *os.getgroups()}))
    )

    def __str__(self) -> str:
        return f"uid {self.uid}, gids {', '.join(map(str, self.gids))}"


class RuntimeEnvironment(Struct, frozen=True):
    """The environment that the process runs in.

    Attributes:
        container: The container engine; `None` outside of a container.
        own_network: Whether the container has its own network, and so its own `localhost`.
        user: The user of the process.
    """

    container: str | None = None
    own_network: bool = False
    user: ProcessUser = field(default_factory=ProcessUser)

    def host_remedies(self, port: int) -> tuple[str, ...]:
        """Return how this container reaches a DStack that listens on a port of the host."""
        if self.container == KUBERNETES:
            mount = "mount DStack's unix socket from the host (hostPath)"
            return (f"{mount} and set DSTACK_URL=unix:/path", "or give the pod hostNetwork: true")
        start = f"start the container with --add-host {DOCKER_HOST}:host-gateway"
        start += f' (in compose, extra_hosts: ["{DOCKER_HOST}:host-gateway"])'
        other = "or mount DStack's unix socket, or start the container with --network host"
        return (f"set DSTACK_URL=http://{DOCKER_HOST}:{port}, and {start}", other)


def detect_environment(root: Path, environ: Mapping[str, str]) -> RuntimeEnvironment:
    """Return the environment, from the files below `root` and the environment variables."""
    container = _container(root, environ)
    own_network = container is not None and not _has_host_network(root)
    return RuntimeEnvironment(container, own_network=own_network)


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


def _has_host_network(root: Path) -> bool:
    """Return whether network cards or bridges are visible. A container's own network has none."""
    try:
        cards = list((root / "sys/class/net").iterdir())
    except OSError:
        return False
    return any((card / mark).exists() for card in cards for mark in ("device", "bridge"))


def is_local_host(host: str) -> bool:
    """Return whether a name or address always means the machine that uses it."""
    name = host.lower().rstrip(".")
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        address = ip_address(name)
    except ValueError:
        return False
    return address.is_loopback or address.is_unspecified


def check_environment(environment: RuntimeEnvironment, address: DStackAddress) -> Finding:
    """Check whether the address of DStack can mean DStack in this environment."""
    if environment.container is None:
        return ok(Step.CONTAINER, "not in a container")
    where = f"in a container ({environment.container})"
    if not environment.own_network:
        return ok(Step.CONTAINER, f"{where} on the host's network: localhost is the host")
    if address.socket:
        return ok(Step.CONTAINER, f"{where}: DStack's socket must be mounted into it")
    if is_local_host(address.host):
        text = f"{where}: {address.host} is the container itself, not the host"
        return warning(Step.CONTAINER, text, *environment.host_remedies(address.port))
    return ok(Step.CONTAINER, f"{where} with its own network")
