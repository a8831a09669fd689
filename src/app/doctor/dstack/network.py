"""The checks of the way to DStack's host: name look-up, connection, TLS handshake."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from dstack_backend.adapters.httpx_dstack import DStackAddress
from dstack_backend.adapters.httpx_dstack.probe import Handshake
from dstack_backend.app.config.parsers import ListenAddress
from dstack_backend.app.doctor.environment import DOCKER_HOST, RuntimeEnvironment, is_local_host
from dstack_backend.app.doctor.finding import Finding, Step, sanitize
from dstack_backend.domain.check import CheckFailure, FailureCause, Reason
from dstack_backend.domain.formatting import join_some

__all__ = ["check_connection", "check_dns", "check_tls"]

EXPIRES_SOON = timedelta(days=14)
MAX_SHOWN = 4

_RENEW = "renew DStack's certificate; check the clock of this machine too: date -u"
# None of them is http://, which would expose a token: a port with a certificate speaks TLS.
_CERTIFICATE_REMEDIES: dict[FailureCause | None, str] = {
    FailureCause.CERTIFICATE_EXPIRED: _RENEW,
    FailureCause.CERTIFICATE_NOT_YET_VALID: _RENEW,
    FailureCause.CERTIFICATE_WRONG_HOST: "put a name of the certificate into DSTACK_URL",
    FailureCause.CERTIFICATE_UNTRUSTED: "set DSTACK_CA_FILE to the authority's certificate (PEM),"
    " or to the certificate itself where it is self-signed",
    FailureCause.CERTIFICATE_INVALID: "issue a new certificate for DStack, or for its authority",
}


def check_dns(
    result: Sequence[str] | CheckFailure, address: DStackAddress, environment: RuntimeEnvironment
) -> Finding:
    """Return the addresses of the host by IP version, or why there are none."""
    if isinstance(result, CheckFailure):
        text = f"{address.host}: name look-up failed: {result.detail_text}"
        servers = "check that the name servers in /etc/resolv.conf answer"
        remedies: tuple[str, ...] = (servers, "or put the address itself into DSTACK_URL")
        has_answer = result.cause is not FailureCause.NAME_SERVER_UNREACHABLE
        if address.host == DOCKER_HOST:
            remedies = environment.host_remedies(address.port)
        elif result.reason is Reason.HOST_NOT_FOUND and has_answer:
            name = f"is the name in DSTACK_URL right? Try: getent ahosts {address.host}"
            remedies = (name, servers)
        return Step.NAME.failed(text, *remedies, reason=result.reason)
    if result == (address.host,):
        return Step.NAME.ok(f"{address.host} is an address, no look-up needed")
    v4 = join_some([each for each in result if ":" not in each], MAX_SHOWN)
    v6 = join_some([each for each in result if ":" in each], MAX_SHOWN)
    return Step.NAME.ok(f"{address.host}: IPv4 {v4 or 'none'}; IPv6 {v6 or 'none'}")


def check_connection(
    results: Mapping[str, float | CheckFailure],
    address: DStackAddress,
    environment: RuntimeEnvironment,
) -> Finding:
    """Return whether one of DStack's addresses accepts a connection.

    `results` has for each address the seconds that connecting took, or why it failed.
    """
    failures = {to: each for to, each in results.items() if isinstance(each, CheckFailure)}
    errors = "; ".join(f"{to}: {each.detail_text}" for to, each in failures.items())
    for to, seconds in results.items():
        if not isinstance(seconds, CheckFailure):
            text = f"connected to {to} in {seconds * 1000:.1f} ms"
            return Step.CONNECTION.ok(f"{text} ({errors})" if errors else text, seconds)
    reason = next(iter(failures.values())).reason
    remedies = _connection_remedies(reason, address, environment)
    return Step.CONNECTION.failed(errors, *remedies, reason=reason)


def _connection_remedies(
    reason: Reason, address: DStackAddress, environment: RuntimeEnvironment
) -> tuple[str, ...]:
    if address.socket:
        running = "is DStack running, and is the path in DSTACK_URL that of its socket?"
        mount = "mount the socket's folder, not the file: DStack creates a new one at each start"
        return (running, mount) if environment.container else (running,)
    listens = f"does DStack listen on this port? On its host: ss -ltn 'sport = :{address.port}'"
    is_local = is_local_host(address.host)
    if environment.own_network and is_local:
        return (*environment.host_remedies(address.port), listens)
    if reason is not Reason.CONNECTION_REFUSED:
        firewall = "does a firewall drop packets on the way? From containers, on Docker's bridge"
        return (firewall, "is the host in DSTACK_URL right, and up?")
    loopback = "if DStack listens on 127.0.0.1 only, other machines and containers cannot reach it"
    use = "use Docker's bridge, its unix socket, or --network host"
    return (listens,) if is_local else (listens, f"{loopback}: {use}")


def check_tls(handshake: Handshake, address: DStackAddress, now: datetime) -> Finding:
    """Return whether the certificate is trusted, and until when."""
    certificate, failure, shown = handshake.certificate, handshake.failure, ""
    if certificate:
        names = join_some([sanitize(name) for name in certificate.names], MAX_SHOWN)
        shown = f" (for {names}; expires {certificate.expires:%Y-%m-%d %H:%M} UTC)"
    if failure:
        netloc = ListenAddress(address.host, address.port)
        plain = f"does that port speak TLS at all? Try DSTACK_URL=http://{netloc}"
        remedy = _CERTIFICATE_REMEDIES.get(failure.cause, plain)
        show = f"show the certificate: openssl s_client -connect {netloc} </dev/null"
        return Step.TLS.failed(failure.detail_text + shown, remedy, show, reason=failure.reason)
    text = f"the certificate is trusted{shown}"
    if certificate and certificate.expires - now < EXPIRES_SOON:
        return Step.TLS.warning(text, "renew DStack's certificate before it expires")
    return Step.TLS.ok(text)
