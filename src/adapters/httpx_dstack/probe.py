"""The steps of connecting to DStack one at a time, to find the one that fails.

No request is sent. As in a check, no step raises, and each ends within its timeout.
"""

import asyncio
import socket
import ssl
from collections.abc import Coroutine
from datetime import UTC, datetime
from typing import Any, TypeVar

import anyio
from msgspec import Struct
from msgspec.structs import replace

from dstack_backend.adapters.httpx_dstack.address import DStackAddress
from dstack_backend.adapters.httpx_dstack.connection import open_connection
from dstack_backend.adapters.httpx_dstack.errors import failure_from
from dstack_backend.domain.check import CheckFailure, FailureCause, Reason

__all__ = ["Certificate", "Handshake", "connect", "resolve", "tls_handshake"]

T = TypeVar("T")

_NO_CHECK_TIME = 0x200000
"""X509_V_FLAG_NO_CHECK_TIME of OpenSSL's x509_vfy.h; `ssl` has no name for it."""

_TRUSTED_AUTHORITY = {
    FailureCause.CERTIFICATE_EXPIRED,
    FailureCause.CERTIFICATE_NOT_YET_VALID,
    FailureCause.CERTIFICATE_WRONG_HOST,
}
"""Faults of a certificate whose authority is trusted."""


class Certificate(Struct, frozen=True):
    """What is read from a certificate whose authority is trusted.

    Attributes:
        expires: When it ends, in UTC.
        names: Hosts and addresses that it is for: texts of the other side, not trusted.
    """

    expires: datetime
    names: tuple[str, ...]


class Handshake(Struct, frozen=True):
    """The result of a TLS handshake.

    Attributes:
        failure: Why it failed; `None` where it succeeded.
        certificate: The certificate of the other side; `None` where its authority is not trusted.
    """

    failure: CheckFailure | None
    certificate: Certificate | None


async def resolve(address: DStackAddress, timeout: float) -> tuple[str, ...] | CheckFailure:  # noqa: ASYNC109 - it becomes a value, not an exception
    """Return the numeric addresses of DStack's host, each once, in the order of attempts."""
    found = await _within(timeout, _resolve(address))
    if isinstance(found, CheckFailure) and found.cause is FailureCause.NAME_SERVER_UNREACHABLE:
        return replace(found, detail="no name server answers")
    return found


async def _resolve(address: DStackAddress) -> tuple[str, ...]:
    # As in a check: unlike asyncio's, its addresses keep the zone.
    found = await anyio.getaddrinfo(address.host, address.port, type=socket.SOCK_STREAM)
    return tuple(dict.fromkeys(each[4][0] for each in found))


async def connect(address: DStackAddress, numeric: str, timeout: float) -> float | CheckFailure:  # noqa: ASYNC109 - it becomes a value, not an exception
    """Open a connection to one numeric address, and return the seconds that it took.

    For a unix socket the numeric address is ignored.
    """
    return await _within(timeout, _connect(address, numeric))


async def _connect(address: DStackAddress, numeric: str) -> float:
    clock = asyncio.get_running_loop().time
    started = clock()
    async with await open_connection(replace(address, host=numeric)):
        return round(clock() - started, 6)


async def tls_handshake(
    address: DStackAddress,
    numeric: str,
    tls: ssl.SSLContext,
    timeout: float,  # noqa: ASYNC109 - it becomes a value, not an exception
) -> Handshake:
    """Do the TLS handshake with one numeric address.

    A certificate whose dates or names are wrong is read in a second handshake, which has the same
    timeout again. The context is unchanged afterwards.
    """
    result = await _within(timeout, _handshake(address, numeric, tls))
    if not isinstance(result, CheckFailure):
        return Handshake(None, result)
    if result.cause not in _TRUSTED_AUTHORITY:
        return Handshake(result, None)
    strict = (tls.check_hostname, tls.verify_flags)
    tls.check_hostname, tls.verify_flags = False, tls.verify_flags | _NO_CHECK_TIME
    try:
        again = await _within(timeout, _handshake(address, numeric, tls))
    finally:
        tls.check_hostname, tls.verify_flags = strict
    return Handshake(result, None if isinstance(again, CheckFailure) else again)


async def _handshake(address: DStackAddress, numeric: str, tls: ssl.SSLContext) -> Certificate:
    _, writer = await asyncio.open_connection(
        numeric, address.port, ssl=tls, server_hostname=address.tls_name
    )
    peer: dict[str, Any] = writer.get_extra_info("peercert")
    writer.transport.abort()
    expires = datetime.fromtimestamp(ssl.cert_time_to_seconds(peer["notAfter"]), UTC)
    return Certificate(expires, tuple(str(name) for _, name in peer.get("subjectAltName", ())))


async def _within(timeout: float, step: Coroutine[Any, Any, T]) -> T | CheckFailure:  # noqa: ASYNC109 - it becomes a value, not an exception
    deadline = asyncio.timeout(timeout)
    try:
        async with deadline:
            return await step
    except Exception as exc:  # noqa: BLE001 - a failure is a value
        if deadline.expired():
            return CheckFailure(Reason.TIMED_OUT, f"no answer within {timeout:g} s")
        return failure_from(exc)
