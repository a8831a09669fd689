"""The connection to DStack, and TLS on it."""

from collections.abc import Mapping
from datetime import datetime, timedelta

from dstack_backend.adapters.httpx_dstack import DStackAddress
from dstack_backend.adapters.httpx_dstack.probe import Certificate, Handshake
from dstack_backend.app.doctor.environment import (
    DOCKER_HOST,
    RuntimeEnvironment,
    is_ourselves,
    leave_container,
)
from dstack_backend.app.doctor.finding import Finding, Step, failed, ok, sanitize, warning
from dstack_backend.domain.check import CheckFailure, Reason

__all__ = ["check_connection", "check_tls"]

ENDS_SOON = timedelta(days=14)
MOST_NAMES = 5

Tries = Mapping[str, float | CheckFailure]
"""What connecting to each address brought: the seconds it took, or why it failed."""


def check_connection(
    tries: Tries, address: DStackAddress, environment: RuntimeEnvironment
) -> Finding:
    """Say whether a connection can be opened to any of DStack's addresses."""
    failures = {to: each for to, each in tries.items() if isinstance(each, CheckFailure)}
    told = "; ".join(f"{to}: {_short(each)}" for to, each in failures.items())
    opened = {to: each for to, each in tries.items() if not isinstance(each, CheckFailure)}
    for to, seconds in opened.items():
        text = f"connected to {to} in {seconds * 1000:.1f} ms"
        return ok(Step.CONNECTION, f"{text} ({told})" if told else text, seconds)
    failure = next(iter(failures.values()))
    remedies = (
        _unix_cures(failure, environment)
        if address.socket
        else _cures(failure, address, environment)
    )
    return failed(Step.CONNECTION, told, remedies, failure.reason)


def _short(failure: CheckFailure) -> str:
    return failure.message.removeprefix(f"{failure.reason.kind}: ")


def _cures(
    failure: CheckFailure, address: DStackAddress, environment: RuntimeEnvironment
) -> tuple[str, ...]:
    port = address.port
    ask = f"does DStack listen there? On its host: ss -ltn 'sport = :{port}'"
    if environment.own_network and is_ourselves(address.host):
        return (*leave_container(environment, port), ask)
    if failure.reason is Reason.CONNECTION_REFUSED:
        if environment.own_network or address.host == DOCKER_HOST:
            return (
                ask,
                (
                    "if it listens on 127.0.0.1 only, containers do not reach it: let it listen on"
                    " Docker's bridge, or use its unix socket, or --network host"
                ),
            )
        return (ask, "is the port in DSTACK_URL DStack's?")
    return (
        "does a firewall drop packets on the way? From containers, that of Docker's bridge",
        "is the host in DSTACK_URL right, and up?",
    )


def _unix_cures(failure: CheckFailure, environment: RuntimeEnvironment) -> tuple[str, ...]:
    if failure.reason is not Reason.CONNECTION_REFUSED:
        return ("is the path in DSTACK_URL that of DStack's socket?",)
    running = "no process is behind the socket any more: is DStack running?"
    if not environment.container:
        return (running,)
    return (
        running,
        (
            "if DStack was restarted, restart this container, and mount the socket's folder instead"
            " of the file"
        ),
    )


def check_tls(handshake: Handshake, address: DStackAddress, now: datetime) -> Finding:
    """Say whether the certificate is trusted, and until when."""
    shown = handshake.certificate
    if handshake.failure:
        text = _short(handshake.failure) + (f" ({_describe(shown)})" if shown else "")
        return failed(
            Step.TLS, text, _tls_cures(handshake.failure, address), handshake.failure.reason
        )
    if shown is None:
        return ok(Step.TLS, "the certificate is trusted")
    text = f"the certificate is trusted ({_describe(shown)})"
    if shown.expires - now < ENDS_SOON:
        return warning(Step.TLS, text, "renew DStack's certificate before it ends")
    return ok(Step.TLS, text)


def _describe(shown: Certificate) -> str:
    names = ", ".join(sanitize(name) for name in shown.names[:MOST_NAMES]) or "no name"
    more = " and more" if len(shown.names) > MOST_NAMES else ""
    return f"for {names}{more}; ends {shown.expires:%Y-%m-%d %H:%M} UTC"


def _tls_cures(failure: CheckFailure, address: DStackAddress) -> tuple[str, ...]:
    message = failure.message
    if "expired" in message or "not valid yet" in message:
        return ("renew DStack's certificate", "is the clock of this machine right? Try: date -u")
    if "for another" in message:
        return ("put a name of the certificate into DSTACK_URL, or renew it with this one",)
    see = f"see it: openssl s_client -connect {address.host}:{address.port} </dev/null"
    if "trusted" in message:
        return (
            (
                "set DSTACK_CA_FILE to the authority's certificate (PEM); of a self-signed one,"
                " that is the certificate itself"
            ),
            see,
        )
    if "certificate" in message:  # it speaks TLS: http:// would send the token in the open
        return ("make DStack's certificate, or its authority's, anew", see)
    return (
        f"does that port speak TLS at all? Try DSTACK_URL=http://{address.host}:{address.port}",
    )
