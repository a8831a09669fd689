"""The check of the connection to DStack."""

from collections.abc import Mapping

from dstack_backend.adapters.httpx_dstack import DStackAddress
from dstack_backend.app.doctor.environment import DOCKER_HOST, RuntimeEnvironment, is_local_host
from dstack_backend.app.doctor.finding import Finding, Step, detail_of, failed, ok
from dstack_backend.domain.check import CheckFailure, Reason

__all__ = ["ConnectResults", "check_connection"]

ConnectResults = Mapping[str, float | CheckFailure]
"""For each address of DStack the seconds that connecting took, or why it failed."""


def check_connection(
    results: ConnectResults, address: DStackAddress, environment: RuntimeEnvironment
) -> Finding:
    """Return whether one of DStack's addresses accepts a connection."""
    failures = {to: each for to, each in results.items() if isinstance(each, CheckFailure)}
    errors = "; ".join(f"{to}: {detail_of(each)}" for to, each in failures.items())
    for to, seconds in results.items():
        if not isinstance(seconds, CheckFailure):
            text = f"connected to {to} in {seconds * 1000:.1f} ms"
            return ok(Step.CONNECTION, f"{text} ({errors})" if errors else text, seconds)
    reason = next(iter(failures.values())).reason
    remedies = (
        _socket_remedies(reason, environment)
        if address.socket
        else _host_remedies(reason, address, environment)
    )
    return failed(Step.CONNECTION, errors, *remedies, reason=reason)


def _host_remedies(
    reason: Reason, address: DStackAddress, environment: RuntimeEnvironment
) -> tuple[str, ...]:
    listens = f"does DStack listen there? On its host: ss -ltn 'sport = :{address.port}'"
    if environment.own_network and is_local_host(address.host):
        return (*environment.host_remedies(address.port), listens)
    if reason is not Reason.CONNECTION_REFUSED:
        firewall = "does a firewall drop packets on the way? From containers, on Docker's bridge"
        return (firewall, "is the host in DSTACK_URL right, and up?")
    if not environment.own_network and address.host != DOCKER_HOST:
        return (listens, "is the port in DSTACK_URL DStack's?")
    loopback = "if it listens on 127.0.0.1 only, containers do not reach it"
    return (listens, f"{loopback}: use Docker's bridge, its unix socket, or --network host")


def _socket_remedies(reason: Reason, environment: RuntimeEnvironment) -> tuple[str, ...]:
    if reason is not Reason.CONNECTION_REFUSED:
        return ("is the path in DSTACK_URL that of DStack's socket?",)
    running = "no process listens on the socket any more: is DStack running?"
    if not environment.container:
        return (running,)
    mount = "mount the socket's folder instead of the file"
    return (running, f"if DStack was restarted, restart this container, and {mount}")
