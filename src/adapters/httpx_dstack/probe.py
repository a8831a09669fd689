"""The steps of reaching DStack one at a time, to find out which of them fails.

Nothing is asked of DStack. Like a check, no step raises and none outlives its deadline.
"""

import asyncio
import socket
import ssl
from collections.abc import Coroutine
from datetime import UTC, datetime
from typing import Any, TypeVar

from msgspec import Struct

from dstack_backend.adapters.httpx_dstack.address import DStackAddress
from dstack_backend.adapters.httpx_dstack.errors import failure_from
from dstack_backend.domain.check import CheckFailure, FailureCause, Reason

__all__ = ["Certificate", "Handshake", "connect", "resolve", "tls_handshake"]

T = TypeVar("T")

NO_SERVER_ANSWERS = "no name server answers"

_NO_CHECK_TIME = 0x200000
"""X509_V_FLAG_NO_CHECK_TIME of OpenSSL's x509_vfy.h; `ssl` has no name for it."""

_DATES_OR_NAMES = {9, 10, 62, 64}
"""Faults of x509_vfy.h that leave the certificate's authority trusted: dates, host, address."""


class Certificate(Struct, frozen=True):
    """What is read from a certificate whose authority is trusted.

    Attributes:
        expires: When it ends, in UTC.
        names: Hosts and addresses that it is for: the other side's texts, trusted for nothing.
    """

    expires: datetime
    names: tuple[str, ...]


class Handshake(Struct, frozen=True):
    """What a TLS handshake brought.

    Attributes:
        failure: Why it failed; `None` where it did not.
        certificate: What the other side showed; `None` where its authority is not trusted.
    """

    failure: CheckFailure | None
    certificate: Certificate | None


async def resolve(address: DStackAddress, timeout: float) -> tuple[str, ...] | CheckFailure:  # noqa: ASYNC109 - it becomes a value, not an exception
    """Give the numeric addresses of DStack's host, each once, in the order they are tried in."""
    return await _within(timeout, _resolve(address))


async def _resolve(address: DStackAddress) -> tuple[str, ...] | CheckFailure:
    try:
        found = await asyncio.get_running_loop().getaddrinfo(
            address.host, address.port, type=socket.SOCK_STREAM
        )
    except socket.gaierror as exc:
        if exc.errno == socket.EAI_AGAIN:
            cause = FailureCause.NAME_SERVER_UNREACHABLE
            return CheckFailure(Reason.HOST_NOT_FOUND, NO_SERVER_ANSWERS, cause)
        raise
    return tuple(dict.fromkeys(str(each[4][0]) for each in found))


async def connect(address: DStackAddress, numeric: str, timeout: float) -> float | CheckFailure:  # noqa: ASYNC109 - it becomes a value, not an exception
    """Open a connection and close it; give the seconds that it took.

    Args:
        address: Where DStack listens.
        numeric: Which address of its host to take; without meaning for a unix socket.
        timeout: Seconds that it may take.
    """
    return await _within(timeout, _connect(address, numeric))


async def _connect(address: DStackAddress, numeric: str) -> float:
    clock = asyncio.get_running_loop().time
    started = clock()
    if address.socket:
        _, writer = await asyncio.open_unix_connection(address.socket)
    else:
        _, writer = await asyncio.open_connection(numeric, address.port)
    took = round(clock() - started, 6)
    writer.transport.abort()
    return took


async def tls_handshake(
    address: DStackAddress,
    numeric: str,
    tls: ssl.SSLContext,
    timeout: float,  # noqa: ASYNC109 - it becomes a value, not an exception
) -> Handshake:
    """Do the TLS handshake and close; read the certificate, where dates or names fail it as well.

    Args:
        address: Where DStack listens.
        numeric: Which address of its host to take.
        tls: Whom to trust. It is as before afterwards.
        timeout: Seconds that it may take, and a second look at a failed certificate again.
    """
    codes: list[int] = []
    seen = await _within(timeout, _shake(address, numeric, tls, codes))
    if not isinstance(seen, CheckFailure):
        return Handshake(None, seen)
    if not _DATES_OR_NAMES.intersection(codes):
        return Handshake(seen, None)
    strict = (tls.check_hostname, tls.verify_flags)
    tls.check_hostname, tls.verify_flags = False, tls.verify_flags | _NO_CHECK_TIME
    try:
        again = await _within(timeout, _shake(address, numeric, tls, codes))
    finally:
        tls.check_hostname, tls.verify_flags = strict
    return Handshake(seen, None if isinstance(again, CheckFailure) else again)


async def _shake(
    address: DStackAddress, numeric: str, tls: ssl.SSLContext, codes: list[int]
) -> Certificate:
    try:
        _, writer = await asyncio.open_connection(
            numeric, address.port, ssl=tls, server_hostname=address.host
        )
    except ssl.SSLCertVerificationError as exc:
        codes.append(exc.verify_code)
        raise
    shown: dict[str, Any] = writer.get_extra_info("peercert")
    writer.transport.abort()
    expires = datetime.fromtimestamp(ssl.cert_time_to_seconds(shown["notAfter"]), UTC)
    return Certificate(expires, tuple(str(name) for _, name in shown.get("subjectAltName", ())))


async def _within(timeout: float, step: Coroutine[Any, Any, T]) -> T | CheckFailure:  # noqa: ASYNC109 - it becomes a value, not an exception
    deadline = asyncio.timeout(timeout)
    try:
        async with deadline:
            return await step
    except Exception as exc:  # noqa: BLE001 - a failure is a value
        if deadline.expired():
            return CheckFailure(Reason.TIMED_OUT, f"no answer within {timeout:g} s")
        return failure_from(exc)
