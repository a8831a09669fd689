"""Exceptions and statuses as failures: each has a reason, and no text of theirs is published."""

import errno
import socket
import ssl
from inspect import isclass

import anyio
import httpcore
import pytest

from dstack_backend.adapters.httpx_dstack.errors import REASONS, failure_from, http_failure
from dstack_backend.domain import CheckFailure, FailureCause, Reason

CANARY = "c4n4ry.internal"

EXCEPTIONS = sorted(
    (
        each
        for module in (httpcore, anyio)
        for each in vars(module).values()
        if isclass(each) and issubclass(each, Exception)
    ),
    key=lambda kind: kind.__name__,
)


def caused_by(cause: BaseException) -> Exception:
    """Return an exception of a library with its cause."""
    error = httpcore.WriteError(CANARY)
    error.__cause__ = cause
    return error


def bad_certificate(code: int) -> ssl.SSLCertVerificationError:
    """Return what OpenSSL raises; its text names the host."""
    error = ssl.SSLCertVerificationError(1, f"certificate is not valid for '{CANARY}'")
    error.verify_code = code
    return error


@pytest.mark.parametrize("kind", EXCEPTIONS)
def test_text_of_an_exception_is_not_published(kind: type[Exception]) -> None:
    """Each exception of the libraries has a conclusive reason, and its text is not in the message.

    Those that are not in the table are a failed connection.
    """
    exc = kind.__new__(kind, CANARY)
    Exception.__init__(exc, CANARY)
    failure = failure_from(exc)
    assert failure.reason.is_conclusive
    assert CANARY not in failure.message
    assert failure.message.isprintable()


UNTRUSTED = FailureCause.CERTIFICATE_UNTRUSTED
WRONG_HOST = FailureCause.CERTIFICATE_WRONG_HOST

CERTIFICATES: dict[int, tuple[FailureCause, str]] = {
    9: (FailureCause.CERTIFICATE_NOT_YET_VALID, "the certificate is not valid yet"),
    10: (FailureCause.CERTIFICATE_EXPIRED, "the certificate has expired"),
    18: (UNTRUSTED, "the certificate is self-signed and not trusted"),
    19: (UNTRUSTED, "the certificate's authority is not trusted"),
    20: (UNTRUSTED, "the certificate's authority is not trusted"),
    21: (UNTRUSTED, "bad certificate"),
    62: (WRONG_HOST, "the certificate is for another host"),
    64: (WRONG_HOST, "the certificate is for another address"),
    9999: (FailureCause.CERTIFICATE_INVALID, "bad certificate"),
}


@pytest.mark.parametrize("code", CERTIFICATES)
def test_certificate_fault_has_a_cause_and_a_detail(code: int) -> None:
    """Both follow from OpenSSL's code."""
    cause, text = CERTIFICATES[code]
    expected = CheckFailure(Reason.TLS_FAILED, f"TLS failed: {text}", cause)
    assert failure_from(bad_certificate(code)) == expected


CAUSES: list[tuple[Exception, CheckFailure]] = [
    (ssl.SSLEOFError(8, CANARY), CheckFailure(Reason.CONNECTION_CLOSED)),
    (ssl.SSLZeroReturnError(6, CANARY), CheckFailure(Reason.CONNECTION_CLOSED)),
    (ssl.SSLError(1, CANARY), CheckFailure(Reason.TLS_FAILED)),
    (socket.gaierror(socket.EAI_NONAME, CANARY), CheckFailure(Reason.HOST_NOT_FOUND)),
    (
        socket.gaierror(socket.EAI_AGAIN, CANARY),
        CheckFailure(Reason.HOST_NOT_FOUND, cause=FailureCause.NAME_SERVER_UNREACHABLE),
    ),
    (UnicodeError(CANARY), CheckFailure(Reason.HOST_NOT_FOUND)),
    (
        ConnectionRefusedError(errno.ECONNREFUSED, CANARY),
        CheckFailure(Reason.CONNECTION_REFUSED),
    ),
    (FileNotFoundError(errno.ENOENT, CANARY, CANARY), CheckFailure(Reason.SOCKET_NOT_FOUND)),
    (PermissionError(errno.EACCES, CANARY, CANARY), CheckFailure(Reason.PERMISSION_DENIED)),
    (ConnectionResetError(errno.ECONNRESET, CANARY), CheckFailure(Reason.CONNECTION_CLOSED)),
    (BrokenPipeError(errno.EPIPE, CANARY), CheckFailure(Reason.CONNECTION_CLOSED)),
    (TimeoutError(errno.ETIMEDOUT, CANARY), CheckFailure(Reason.TIMED_OUT)),
    (
        OSError(errno.ENETUNREACH, CANARY),
        CheckFailure(Reason.CONNECTION_FAILED, "network is unreachable"),
    ),
    (
        OSError(errno.EHOSTUNREACH, CANARY),
        CheckFailure(Reason.CONNECTION_FAILED, "no route to host"),
    ),
    (OSError(CANARY), CheckFailure(Reason.CONNECTION_FAILED)),
    (anyio.EndOfStream(CANARY), CheckFailure(Reason.CONNECTION_CLOSED)),
    (anyio.BrokenResourceError(CANARY), CheckFailure(Reason.CONNECTION_CLOSED)),
    (RuntimeError(CANARY), CheckFailure(Reason.CONNECTION_FAILED)),
]


@pytest.mark.parametrize(("exc", "failure"), CAUSES)
def test_exception_decides_alone_and_as_a_cause(exc: Exception, failure: CheckFailure) -> None:
    """Each row of the table has an example, and nothing of its text is published."""
    assert failure_from(exc) == failure
    assert failure_from(caused_by(exc)) == failure
    assert CANARY not in failure.message


@pytest.mark.parametrize(("kind", "reason"), REASONS)
def test_no_row_of_the_table_is_shadowed(kind: type[BaseException], reason: Reason) -> None:
    """Each row decides for at least one of the examples."""
    assert reason in [failure.reason for exc, failure in CAUSES if isinstance(exc, kind)]


def test_cause_is_found_behind_others_and_in_groups() -> None:
    """Two addresses of a host that both refuse arrive as a group behind an OSError."""
    refused = ConnectionRefusedError(errno.ECONNREFUSED, CANARY)
    attempts = OSError("All connection attempts failed")
    attempts.__cause__ = ExceptionGroup(CANARY, [refused, ConnectionRefusedError()])
    assert failure_from(attempts) == CheckFailure(Reason.CONNECTION_REFUSED)


def test_most_specific_cause_decides() -> None:
    """One address that refuses decides, whatever the other addresses do, in any order."""
    unreachable = OSError(errno.ENETUNREACH, CANARY)
    attempts = OSError("All connection attempts failed")
    attempts.__cause__ = ExceptionGroup(CANARY, [unreachable, ConnectionRefusedError()])
    assert failure_from(attempts) == CheckFailure(Reason.CONNECTION_REFUSED)
    attempts.__cause__ = ExceptionGroup(CANARY, [unreachable])
    assert failure_from(attempts).message == "Connection error: network is unreachable"


def test_suppressed_context_is_found() -> None:
    """Libraries raise `from None`; the context is still there."""
    hidden = httpcore.ConnectError(CANARY)
    hidden.__context__ = FileNotFoundError(CANARY)
    hidden.__suppress_context__ = True
    assert failure_from(hidden).reason is Reason.SOCKET_NOT_FOUND


REDIRECT = FailureCause.HTTP_REDIRECT


@pytest.mark.parametrize(
    ("status", "reason", "message", "cause"),
    [
        (401, Reason.UNAUTHORIZED, "HTTP error: 401 Unauthorized", None),
        (400, Reason.HTTP_ERROR, "HTTP error: 400 Bad Request", FailureCause.HTTP_BAD_REQUEST),
        (403, Reason.HTTP_ERROR, "HTTP error: 403 Forbidden", FailureCause.HTTP_FORBIDDEN),
        (404, Reason.HTTP_ERROR, "HTTP error: 404 Not Found", FailureCause.HTTP_NOT_FOUND),
        (500, Reason.HTTP_ERROR, "HTTP error: 500 Internal Server Error", None),
        (301, Reason.HTTP_ERROR, "HTTP error: 301 Moved Permanently", REDIRECT),
        (302, Reason.HTTP_ERROR, "HTTP error: 302 Found", REDIRECT),
        (303, Reason.HTTP_ERROR, "HTTP error: 303 See Other", REDIRECT),
        (304, Reason.HTTP_ERROR, "HTTP error: 304 Not Modified", None),
        (307, Reason.HTTP_ERROR, "HTTP error: 307 Temporary Redirect", REDIRECT),
        (308, Reason.HTTP_ERROR, "HTTP error: 308 Permanent Redirect", REDIRECT),
        (204, Reason.HTTP_ERROR, "HTTP error: 204 No Content", None),
        (799, Reason.HTTP_ERROR, "HTTP error: 799", None),
    ],
)
def test_status_has_the_phrase_of_the_standard(
    status: int, reason: Reason, message: str, cause: FailureCause | None
) -> None:
    """Not the phrase of the status line, which is text of the other side."""
    failure = http_failure(status)
    assert (failure.reason, failure.message, failure.cause) == (reason, message, cause)
