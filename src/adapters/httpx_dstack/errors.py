"""What httpx raises, as reasons.

An exception of httpx says at which step it failed; its causes say why. So the causes are looked at
first, the most telling one wins, and the step decides only where no cause is known. No text of an
exception goes out: it may hold an address, a path or what the other side sent.
"""

import os
import socket
import ssl
from collections.abc import Iterator
from http import HTTPStatus
from typing import cast

import anyio
import httpx

from dstack_backend.domain.check import CheckFailure, FailureCause, Reason

__all__ = ["BY_CAUSE", "BY_STEP", "CERTIFICATE_FAULTS", "failure_from", "http_failure"]

BY_CAUSE: tuple[tuple[type[BaseException], Reason], ...] = (
    (ssl.SSLEOFError, Reason.CONNECTION_CLOSED),
    (ssl.SSLZeroReturnError, Reason.CONNECTION_CLOSED),
    (ssl.SSLError, Reason.TLS_FAILED),
    (ssl.CertificateError, Reason.TLS_FAILED),
    (socket.gaierror, Reason.HOST_NOT_FOUND),
    (UnicodeError, Reason.HOST_NOT_FOUND),  # a host name that the resolver cannot even ask for
    (ConnectionRefusedError, Reason.CONNECTION_REFUSED),
    (FileNotFoundError, Reason.SOCKET_NOT_FOUND),
    (PermissionError, Reason.PERMISSION_DENIED),
    (ConnectionError, Reason.CONNECTION_CLOSED),  # reset, aborted, broken pipe
    (TimeoutError, Reason.TIMED_OUT),
    (OSError, Reason.CONNECTION_FAILED),
    (anyio.EndOfStream, Reason.CONNECTION_CLOSED),
    (anyio.BrokenResourceError, Reason.CONNECTION_CLOSED),
)
"""The first row that fits any of the causes holds."""

BY_STEP: dict[type[Exception], Reason] = {
    httpx.ConnectTimeout: Reason.TIMED_OUT,
    httpx.ReadTimeout: Reason.TIMED_OUT,
    httpx.WriteTimeout: Reason.TIMED_OUT,
    httpx.PoolTimeout: Reason.TIMED_OUT,
    httpx.ConnectError: Reason.CONNECTION_FAILED,
    httpx.ReadError: Reason.CONNECTION_CLOSED,
    httpx.WriteError: Reason.CONNECTION_CLOSED,
    httpx.CloseError: Reason.CONNECTION_CLOSED,
    httpx.ProxyError: Reason.CONNECTION_FAILED,
    httpx.UnsupportedProtocol: Reason.CONNECTION_FAILED,
    httpx.LocalProtocolError: Reason.CONNECTION_FAILED,
    httpx.RemoteProtocolError: Reason.INVALID_RESPONSE,
    httpx.DecodingError: Reason.INVALID_RESPONSE,
    httpx.TooManyRedirects: Reason.HTTP_ERROR,
}
"""Every exception that a request of httpx can end with; a test holds this against its own list."""

# httpx has one exception for an answer that breaks off and for one that is not HTTP. Only the
# constant texts of httpcore and h11 tell them apart.
_BROKEN_OFF = ("Server disconnected", "peer closed connection")

# OpenSSL's codes, x509_vfy.h: its own texts may hold a host name.
CERTIFICATE_FAULTS = {
    9: "the certificate is not valid yet",
    10: "the certificate has expired",
    18: "the certificate is self-signed and not trusted",
    19: "the certificate's authority is not trusted",
    20: "the certificate's authority is not trusted",
    62: "the certificate is for another host",
    64: "the certificate is for another address",
}

_CERTIFICATE_CAUSES = {
    9: FailureCause.CERTIFICATE_NOT_YET_VALID,
    10: FailureCause.CERTIFICATE_EXPIRED,
    18: FailureCause.CERTIFICATE_UNTRUSTED,
    19: FailureCause.CERTIFICATE_UNTRUSTED,
    20: FailureCause.CERTIFICATE_UNTRUSTED,
    21: FailureCause.CERTIFICATE_UNTRUSTED,
    62: FailureCause.CERTIFICATE_WRONG_HOST,
    64: FailureCause.CERTIFICATE_WRONG_HOST,
}

_STATUS_CAUSES = {
    **dict.fromkeys((301, 302, 303, 307, 308), FailureCause.HTTP_REDIRECT),
    400: FailureCause.HTTP_BAD_REQUEST,
    403: FailureCause.HTTP_FORBIDDEN,
    404: FailureCause.HTTP_NOT_FOUND,
}


def failure_from(exc: Exception) -> CheckFailure:
    """Turn what a request raised into the failure that it means."""
    causes = list(_causes(exc))
    for kind, reason in BY_CAUSE:
        for cause in causes:
            if isinstance(cause, kind):
                return CheckFailure(reason, _detail(cause, reason, causes), _code(cause))
    if isinstance(exc, httpx.RemoteProtocolError):
        if str(exc).startswith(_BROKEN_OFF):
            return CheckFailure(Reason.CONNECTION_CLOSED)
        return CheckFailure(
            Reason.INVALID_RESPONSE, "the answer is not HTTP/1.1", FailureCause.NOT_HTTP
        )
    for step, reason in BY_STEP.items():
        if isinstance(exc, step):
            return CheckFailure(reason)
    return CheckFailure(Reason.CONNECTION_FAILED)


def _causes(exc: BaseException) -> Iterator[BaseException]:
    """Walk through an exception, what it came from, and the members of groups."""
    yield exc
    if isinstance(exc, BaseExceptionGroup):
        for member in cast("BaseExceptionGroup[BaseException]", exc).exceptions:
            yield from _causes(member)
    origin = exc.__cause__ or exc.__context__  # httpcore suppresses contexts (`from None`)
    if origin is not None:
        yield from _causes(origin)


def _detail(cause: BaseException, reason: Reason, causes: list[BaseException]) -> str:
    if isinstance(cause, ssl.SSLCertVerificationError):
        return f"TLS failed: {CERTIFICATE_FAULTS.get(cause.verify_code, 'bad certificate')}"
    if reason is Reason.CONNECTION_FAILED:
        numbers = [each.errno for each in causes if isinstance(each, OSError) and each.errno]
        return os.strerror(numbers[0]).lower() if numbers else ""
    return ""


def _code(cause: BaseException) -> FailureCause | None:
    if isinstance(cause, ssl.SSLCertVerificationError):
        return _CERTIFICATE_CAUSES.get(cause.verify_code, FailureCause.CERTIFICATE_INVALID)
    return None


def http_failure(status: int) -> CheckFailure:
    """Give the failure for a status other than 200, with the standard's words for it."""
    reason = Reason.UNAUTHORIZED if status == HTTPStatus.UNAUTHORIZED else Reason.HTTP_ERROR
    try:
        detail = f"{status} {HTTPStatus(status).phrase}"
    except ValueError:
        detail = str(status)
    return CheckFailure(reason, detail, _STATUS_CAUSES.get(status))
