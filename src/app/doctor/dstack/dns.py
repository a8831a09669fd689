"""The check of the name look-up of DStack's host."""

from dstack_backend.adapters.httpx_dstack import DStackAddress
from dstack_backend.app.doctor.environment import DOCKER_HOST, RuntimeEnvironment
from dstack_backend.app.doctor.finding import Finding, Step, detail_of, failed, ok
from dstack_backend.domain.check import CheckFailure, FailureCause, Reason

__all__ = ["check_dns"]

MAX_SHOWN = 4


def check_dns(
    result: tuple[str, ...] | CheckFailure, address: DStackAddress, environment: RuntimeEnvironment
) -> Finding:
    """Return the addresses of the host by IP version, or why there are none."""
    if isinstance(result, CheckFailure):
        text = f"{address.host}: name look-up failed: {detail_of(result)}"
        remedies = _remedies(result, address, environment)
        return failed(Step.NAME, text, *remedies, reason=result.reason)
    if result == (address.host,):
        return ok(Step.NAME, f"{address.host} is an address, no look-up needed")
    v6 = [each for each in result if ":" in each]
    v4 = [each for each in result if ":" not in each]
    return ok(Step.NAME, f"{address.host}: IPv4 {_shown(v4)}; IPv6 {_shown(v6)}")


def _shown(addresses: list[str]) -> str:
    rest = len(addresses) - MAX_SHOWN
    more = f" and {rest} more" if rest > 0 else ""
    return ", ".join(addresses[:MAX_SHOWN]) + more if addresses else "none"


def _remedies(
    failure: CheckFailure, address: DStackAddress, environment: RuntimeEnvironment
) -> tuple[str, ...]:
    if address.host == DOCKER_HOST:
        if environment.container is None:
            return (f"outside of a container, set DSTACK_URL=http://localhost:{address.port}",)
        return environment.host_remedies(address.port)
    servers = "are the name servers in /etc/resolv.conf right, and do they answer?"
    has_answer = failure.cause is not FailureCause.NAME_SERVER_UNREACHABLE
    if failure.reason is Reason.HOST_NOT_FOUND and has_answer:
        return (f"is the name in DSTACK_URL right? Try: getent ahosts {address.host}", servers)
    return (servers, "or put the address itself into DSTACK_URL")
