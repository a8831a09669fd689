"""Detects whether the service runs in a container, and what `localhost` means there."""

import os
from collections.abc import Mapping
from contextlib import suppress
from ipaddress import ip_address
from pathlib import Path

from msgspec import Struct, field

from dstack_backend.adapters.httpx_dstack import DStackAddress
from dstack_backend.app.doctor.finding import Finding, Step

__all__ = ["DOCKER_HOST", "KUBERNETES", "RuntimeEnvironment"]
__all__ += ["check_environment", "detect_environment", "is_local_host"]

DOCKER_HOST = "host.docker.internal"
KUBERNETES = "Kubernetes"

_FILES = {".dockerenv": "Docker", "run/.containerenv": "Podman"}
_CGROUPS = {
    "kubepods": KUBERNETES,
    "docker": "Docker",
    "libpod": "Podman",
    "containerd": "containerd",
    "lxc": "LXC",
}


class RuntimeEnvironment(Struct, frozen=True):
    """The container engine, if any, and the effective user and groups of the process.

    A container with its own network has its own `localhost`.
    """

    container: str | None = None
    own_network: bool = False
    uid: int = field(default_factory=os.geteuid)
    gids: tuple[int, ...] = field(default_factory=lambda: (os.getegid(), *os.getgroups()))

    def host_remedies(self, port: int) -> tuple[str, ...]:
        """Return how a process here reaches a DStack that listens on a port of the host."""
        if self.container is None:
            return (f"outside of a container, set DSTACK_URL=http://localhost:{port}",)
        if self.container == KUBERNETES:
            mount = "mount DStack's unix socket from the host (hostPath)"
            return (f"{mount} and set DSTACK_URL=unix:/path", "or give the pod hostNetwork: true")
        start = f"start the container with --add-host {DOCKER_HOST}:host-gateway"
        other = "or mount DStack's unix socket, or start the container with --network host"
        return (
            f"set DSTACK_URL=http://{DOCKER_HOST}:{port}, and {start} (extra_hosts in compose)",
            other,
        )


def detect_environment(root: Path, environ: Mapping[str, str]) -> RuntimeEnvironment:
    """Return the environment, from the files below `root` and the environment variables."""
    groups = ""
    with suppress(OSError):
        groups = (root / "proc/self/cgroup").read_text(errors="replace")
    # With cgroup v2, containerd leaves no mark: the variable is the only one of Kubernetes.
    names = [KUBERNETES] if "KUBERNETES_SERVICE_HOST" in environ else []
    names += [name for mark, name in _FILES.items() if (root / mark).exists()]
    names += [name for mark, name in _CGROUPS.items() if mark in groups]
    cards = root / "sys/class/net"  # a container's own network has neither hardware nor bridges
    host_cards = [*cards.glob("*/device"), *cards.glob("*/bridge")]
    return RuntimeEnvironment(next(iter(names), None), own_network=bool(names) and not host_cards)


def is_local_host(host: str) -> bool:
    """Return whether a name or address always means the machine that uses it."""
    name = host.lower().rstrip(".")
    with suppress(ValueError):
        address = ip_address(name)
        return address.is_loopback or address.is_unspecified
    return name == "localhost" or name.endswith(".localhost")


def check_environment(environment: RuntimeEnvironment, address: DStackAddress | None) -> Finding:
    """Check whether the address of DStack, if it is known, can mean DStack in this environment."""
    if environment.container is None:
        return Step.CONTAINER.ok("not in a container")
    where = f"in a container ({environment.container})"
    if not environment.own_network:
        return Step.CONTAINER.ok(f"{where} on the host's network: localhost is the host")
    if address and is_local_host(address.host) and not address.socket:
        text = f"{where}: {address.host} is the container itself, not the host"
        return Step.CONTAINER.warning(text, *environment.host_remedies(address.port))
    return Step.CONTAINER.ok(f"{where} with its own network")
