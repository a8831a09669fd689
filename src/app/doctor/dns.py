"""The look-up of DStack's name."""

from dstack_backend.adapters.httpx_dstack import DStackAddress
from dstack_backend.app.doctor.environment import (
    DOCKER_HOST,
    KUBERNETES,
    RuntimeEnvironment,
    leave_container,
)
from dstack_backend.app.doctor.finding import Finding, Step, failed, ok
from dstack_backend.domain.check import CheckFailure, Reason

__all__ = ["check_dns"]

MOST_SHOWN = 4


def check_dns(
    found: tuple[str, ...] | CheckFailure, address: DStackAddress, environment: RuntimeEnvironment
) -> Finding:
    """Say what the name stands for, by IP version."""
    if isinstance(found, CheckFailure):
        detail = f" ({found.detail})" if found.detail else ""
        text = f"{address.host}: {_FAULTS.get(found.reason, 'look-up failed')}{detail}"
        return failed(Step.NAME, text, _cures(found, address, environment), found.reason)
    if found == (address.host,):
        return ok(Step.NAME, f"{address.host} is an address, no look-up needed")
    v6 = [each for each in found if ":" in each]
    v4 = [each for each in found if ":" not in each]
    return ok(Step.NAME, f"{address.host}: IPv4 {_few(v4)}; IPv6 {_few(v6)}")


_FAULTS = {Reason.HOST_NOT_FOUND: "host not found", Reason.TIMED_OUT: "the look-up takes too long"}


def _few(addresses: list[str]) -> str:
    rest = len(addresses) - MOST_SHOWN
    more = f" and {rest} more" if rest > 0 else ""
    return ", ".join(addresses[:MOST_SHOWN]) + more if addresses else "none"


def _cures(
    failure: CheckFailure, address: DStackAddress, environment: RuntimeEnvironment
) -> tuple[str, ...]:
    if address.host == DOCKER_HOST:
        if environment.container == KUBERNETES:
            return leave_container(environment, address.port)
        if environment.container is None:
            return (f"outside of a container, set DSTACK_URL=http://localhost:{address.port}",)
        return (
            (
                f"start the container with --add-host {DOCKER_HOST}:host-gateway; in compose, under"
                f' extra_hosts: "{DOCKER_HOST}:host-gateway"'
            ),
        )
    servers = "are the name servers in /etc/resolv.conf right, and do they answer?"
    if failure.reason is Reason.HOST_NOT_FOUND and not failure.detail:
        return (f"is the name in DSTACK_URL right? Try: getent ahosts {address.host}", servers)
    return (servers, "or put the address itself into DSTACK_URL")
