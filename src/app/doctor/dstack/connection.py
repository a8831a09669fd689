"""The check of the connection to DStack."""

from collections.abc import Mapping

from dstack_backend.adapters.httpx_dstack import DStackAddress
from dstack_backend.app.doctor.environment import (
    DOCKER_HOST,
    RuntimeEnvironment,
    host_access_remedies,
    is_local_host,
)
from dstack_backend.app.doctor.finding import Finding, Step, detail_of, failed, ok
from dstack_backend.domain.check import CheckFailure, Reason

__all__ = ["check_connection"]


def check_connection(
    results: Mapping[str, float | CheckFailure],
    address: DStackAddress,
    environment: RuntimeEnvironment,
) -> Finding:
    """Return whether one of DStack's addresses accepts a connection.

    Args:
        results: For each address the seconds that connecting took, or why it failed.
        address: The address in the settings.
        environment: The environment that the service runs in.
    """
    failures = [each for each in results.values() if isinstance(each, CheckFailure)]
    errors = "; ".join(
        f"{to}: {detail_of(each)}" for to, each in results.items() if isinstance(each, CheckFailure)
    )
    for to, seconds in results.items():
        if not isinstance(seconds, CheckFailure):
            text = f"connected to {to} in {seconds * 1000:.1f} ms"
            return ok(Step.CONNECTION, f"{text} ({errors})" if errors else text, seconds)
    remedies = _socket_remedies if address.socket else _host_remedies
    reason = failures[0].reason
    return failed(Step.CONNECTION, errors, *remedies(reason, address, environment), reason=reason)


def _host_remedies(
    reason: Reason, address: DStackAddress, environment: RuntimeEnvironment
) -> tuple[str, ...]:
    listens = f"does DStack listen there? On its host: ss -ltn 'sport = :{address.port}'"
    if environment.own_network and is_local_host(address.host):
        return (*host_access_remedies(environment, address.port), listens)
    if reason is not Reason.CONNECTION_REFUSED:
        return (
            "does a firewall drop packets on the way? From containers, that of Docker's bridge",
            "is the host in DSTACK_URL right, and up?",
        )
    if environment.own_network or address.host == DOCKER_HOST:
        loopback = (
            "if it listens on 127.0.0.1 only, containers do not reach it: let it listen on Docker's"
            " bridge, or use its unix socket, or --network host"
        )
        return (listens, loopback)
    return (listens, "is the port in DSTACK_URL DStack's?")


def _socket_remedies(
    reason: Reason, _: DStackAddress, environment: RuntimeEnvironment
) -> tuple[str, ...]:
    if reason is not Reason.CONNECTION_REFUSED:
        return ("is the path in DSTACK_URL that of DStack's socket?",)
    running = "no process listens on the socket any more: is DStack running?"
    if not environment.container:
        return (running,)
    restarted = (
        "if DStack was restarted, restart this container, and mount the socket's folder instead of"
        " the file"
    )
    return (running, restarted)
