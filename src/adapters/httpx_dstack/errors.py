"""Exceptions and HTTP statuses as failures.

An exception may have causes: each address of a host that was tried has one. The table is ordered
from the most specific type to the least; its first row that fits any of the causes decides. No text
of an exception is passed on: it may hold an address, a path or what the other side sent.
"""

import os
import socket
import ssl
from collections.abc import Iterator
from http import HTTPStatus
from typing import cast

import anyio

from dstack_backend.domain.check import CheckFailure, FailureCause, Reason

__all__ = ["CERTIFICATE_FAULTS", "REASONS", "causes_of", "failure_from", "http_failure"]

REASONS: tuple[tuple[type[BaseException], Reason], ...] = (
    (ssl.SSLEOFError, Reason.CONNECTION_CLOSED),
    (ssl.SSLZeroReturnError, Reason.CONNECTION_CLOSED),
    (ssl.SSLError, Reason.TLS_FAILED),
    (socket.gaierror, Reason.HOST_NOT_FOUND),
    (UnicodeError, Reason.HOST_NOT_FOUND),  # a host name that cannot be sent to a resolver
    (ConnectionRefusedError, Reason.CONNECTION_REFUSED),
    (FileNotFoundError, Reason.SOCKET_NOT_FOUND),
    (PermissionError, Reason.PERMISSION_DENIED),
    (ConnectionError, Reason.CONNECTION_CLOSED),  # reset, aborted, broken pipe
    (TimeoutError, Reason.TIMED_OUT),
    (OSError, Reason.CONNECTION_FAILED),
    (anyio.EndOfStream, Reason.CONNECTION_CLOSED),
    (anyio.BrokenResourceError, Reason.CONNECTION_CLOSED),
    (Exception, Reason.CONNECTION_FAILED),
)

# OpenSSL's codes, x509_vfy.h. Its texts are not used: they may hold a host name.
CERTIFICATE_FAULTS = {
    9: (FailureCause.CERTIFICATE_NOT_YET_VALID, "the certificate is not valid yet"),
    10: (FailureCause.CERTIFICATE_EXPIRED, "the certificate has expired"),
    18: (FailureCause.CERTIFICATE_UNTRUSTED, "the certificate is self-signed and not trusted"),
    19: (FailureCause.CERTIFICATE_UNTRUSTED, "the certificate's authority is not trusted"),
    20: (FailureCause.CERTIFICATE_UNTRUSTED, "the certificate's authority is not trusted"),
    21: (FailureCause.CERTIFICATE_UNTRUSTED, "bad certificate"),
    62: (FailureCause.CERTIFICATE_WRONG_HOST, "the certificate is for another host"),
    64: (FailureCause.CERTIFICATE_WRONG_HOST, "the certificate is for another address"),
}
_OTHER_FAULT = (FailureCause.CERTIFICATE_INVALID, "bad certificate")

_HTTP_CAUSES = {
    **dict.fromkeys((301, 302, 303, 307, 308), FailureCause.HTTP_REDIRECT),
    400: FailureCause.HTTP_BAD_REQUEST,
    403: FailureCause.HTTP_FORBIDDEN,
    404: FailureCause.HTTP_NOT_FOUND,
}


def failure_from(exc: Exception) -> CheckFailure:
    """Return the failure that an exception of a connection means."""
    causes = list(causes_of(exc))
    error, reason = next(
        (cause, reason) for kind, reason in REASONS for cause in causes if isinstance(cause, kind)
    )
    if isinstance(error, ssl.SSLCertVerificationError):
        cause, text = CERTIFICATE_FAULTS.get(error.verify_code, _OTHER_FAULT)
        return CheckFailure(reason, f"TLS failed: {text}", cause)
    if isinstance(error, socket.gaierror) and error.errno == socket.EAI_AGAIN:
        return CheckFailure(reason, cause=FailureCause.NAME_SERVER_UNREACHABLE)
    if reason is Reason.CONNECTION_FAILED:
        numbers = [each.errno for each in causes if isinstance(each, OSError) and each.errno]
        return CheckFailure(reason, os.strerror(numbers[0]).lower() if numbers else "")
    return CheckFailure(reason)


def causes_of(exc: BaseException) -> Iterator[BaseException]:
    """Yield an exception, its causes and contexts, and the members of groups."""
    yield exc
    if isinstance(exc, BaseExceptionGroup):
        for member in cast("BaseExceptionGroup[BaseException]", exc).exceptions:
            yield from causes_of(member)
    origin = exc.__cause__ or exc.__context__  # libraries suppress contexts (`from None`)
    if origin is not None:
        yield from causes_of(origin)


def http_failure(status: int) -> CheckFailure:
    """Return the failure for a status other than 200, with the phrase of the standard."""
    reason = Reason.UNAUTHORIZED if status == HTTPStatus.UNAUTHORIZED else Reason.HTTP_ERROR
    phrases = {each.value: each.phrase for each in HTTPStatus}
    detail = f"{status} {phrases.get(status, '')}".rstrip()
    return CheckFailure(reason, detail, _HTTP_CAUSES.get(status))
