"""The table from httpx's exceptions to reasons: it is complete, and no text of theirs gets out."""

import errno
import socket
import ssl
from inspect import isclass

import anyio
import httpx
import pytest

from dstack_backend.adapters.httpx_dstack.errors import (
    BY_CAUSE,
    BY_STEP,
    failure_from,
    http_failure,
)
from dstack_backend.domain import CheckFailure, Reason

CANARY = "c4n4ry.internal"

EXCEPTIONS = sorted(
    (each for each in vars(httpx).values() if isclass(each) and issubclass(each, Exception)),
    key=lambda kind: kind.__name__,
)
REQUEST_ERRORS = [each for each in EXCEPTIONS if issubclass(each, httpx.RequestError)]

NEVER_END_A_REQUEST = {
    httpx.HTTPError: "only its subclasses are raised",
    httpx.HTTPStatusError: "comes from raise_for_status, which nobody calls",
    httpx.InvalidURL: "the address was parsed at the start, redirects are not followed",
    httpx.CookieConflict: "nobody reads a cookie by its name",
    httpx.StreamError: "only its subclasses are raised",
    httpx.StreamConsumed: "a body is read once",
    httpx.StreamClosed: "a body is read while it is open",
    httpx.ResponseNotRead: "nobody asks for the content of a stream",
    httpx.RequestNotRead: "a request has no body",
}


def caused_by(cause: BaseException, step: type[httpx.RequestError]) -> httpx.RequestError:
    """An exception of httpx as it arrives: with its cause."""
    try:
        raise step(CANARY) from cause
    except httpx.RequestError as exc:
        return exc


def bad_certificate(code: int) -> ssl.SSLCertVerificationError:
    """What OpenSSL raises; its text names the host."""
    error = ssl.SSLCertVerificationError(1, f"certificate is not valid for '{CANARY}'")
    error.verify_code = code
    return error


def test_every_exception_of_httpx_is_known() -> None:
    """Each class is a request's error or is known never to end one; a new one fails here."""
    assert set(EXCEPTIONS) == {*REQUEST_ERRORS, *NEVER_END_A_REQUEST}


@pytest.mark.parametrize("kind", REQUEST_ERRORS)
def test_every_error_of_a_request_is_in_the_table_or_only_a_base(
    kind: type[httpx.RequestError],
) -> None:
    """What httpx can raise has a row; a class without one has subclasses, which stand for it."""
    below = [each for each in REQUEST_ERRORS if issubclass(each, kind) and each is not kind]
    assert kind in BY_STEP or below


@pytest.mark.parametrize("kind", EXCEPTIONS)
def test_no_text_of_an_exception_gets_out(kind: type[Exception]) -> None:
    """Whatever httpx raises, the sentence holds a reason of the list and not the text."""
    exc = kind.__new__(kind, CANARY)
    Exception.__init__(exc, CANARY)
    failure = failure_from(exc)
    assert failure.reason not in (Reason.STARTING, Reason.STALE)
    assert CANARY not in failure.message
    assert failure.message.isprintable()


@pytest.mark.parametrize(
    ("exc", "message"),
    [
        (httpx.ConnectTimeout(CANARY), "Connection error: no answer in time"),
        (httpx.PoolTimeout(CANARY), "Connection error: no answer in time"),
        (httpx.ConnectError(CANARY), "Connection error: connection failed"),
        (
            httpx.ReadError(CANARY),
            "Connection error: connection closed before the answer was complete",
        ),
        (
            httpx.RemoteProtocolError("Server disconnected without sending a response."),
            "Connection error: connection closed before the answer was complete",
        ),
        (
            httpx.RemoteProtocolError("peer closed connection without sending complete body"),
            "Connection error: connection closed before the answer was complete",
        ),
        (httpx.RemoteProtocolError(CANARY), "Parse error: the answer is not HTTP/1.1"),
        (httpx.DecodingError(CANARY), "Parse error: the answer is not as expected"),
        (RuntimeError(CANARY), "Connection error: connection failed"),
    ],
)
def test_without_a_cause_the_step_decides(exc: Exception, message: str) -> None:
    """An exception that nothing caused is told by what was going on."""
    assert failure_from(exc).message == message


CAUSES: list[tuple[BaseException, Reason, str]] = [
    (ssl.SSLEOFError(8, CANARY), Reason.CONNECTION_CLOSED, ""),
    (ssl.SSLZeroReturnError(6, CANARY), Reason.CONNECTION_CLOSED, ""),
    (ssl.SSLError(1, CANARY), Reason.TLS_FAILED, ""),
    (bad_certificate(10), Reason.TLS_FAILED, "TLS failed: the certificate has expired"),
    (
        bad_certificate(18),
        Reason.TLS_FAILED,
        "TLS failed: the certificate is self-signed and not trusted",
    ),
    (bad_certificate(62), Reason.TLS_FAILED, "TLS failed: the certificate is for another host"),
    (bad_certificate(9999), Reason.TLS_FAILED, "TLS failed: bad certificate"),
    (socket.gaierror(socket.EAI_NONAME, CANARY), Reason.HOST_NOT_FOUND, ""),
    (UnicodeError(CANARY), Reason.HOST_NOT_FOUND, ""),
    (ConnectionRefusedError(errno.ECONNREFUSED, CANARY), Reason.CONNECTION_REFUSED, ""),
    (FileNotFoundError(errno.ENOENT, CANARY, CANARY), Reason.SOCKET_NOT_FOUND, ""),
    (PermissionError(errno.EACCES, CANARY, CANARY), Reason.PERMISSION_DENIED, ""),
    (ConnectionResetError(errno.ECONNRESET, CANARY), Reason.CONNECTION_CLOSED, ""),
    (BrokenPipeError(errno.EPIPE, CANARY), Reason.CONNECTION_CLOSED, ""),
    (TimeoutError(errno.ETIMEDOUT, CANARY), Reason.TIMED_OUT, ""),
    (
        OSError(errno.ENETUNREACH, CANARY),
        Reason.CONNECTION_FAILED,
        "network is unreachable",
    ),
    (OSError(errno.EHOSTUNREACH, CANARY), Reason.CONNECTION_FAILED, "no route to host"),
    (OSError(CANARY), Reason.CONNECTION_FAILED, ""),
    (anyio.EndOfStream(CANARY), Reason.CONNECTION_CLOSED, ""),
    (anyio.BrokenResourceError(CANARY), Reason.CONNECTION_CLOSED, ""),
]


@pytest.mark.parametrize("step", [httpx.ConnectError, httpx.ReadError])
@pytest.mark.parametrize(("cause", "reason", "detail"), CAUSES)
def test_a_cause_decides_whatever_the_step(
    cause: BaseException, reason: Reason, detail: str, step: type[httpx.RequestError]
) -> None:
    """Each row of the causes gives its reason, and nothing of the cause's text."""
    failure = failure_from(caused_by(cause, step))
    assert failure == CheckFailure(reason, detail)
    assert CANARY not in failure.message


@pytest.mark.parametrize(("kind", "reason"), BY_CAUSE)
def test_every_row_of_the_causes_is_shown_above(kind: type[BaseException], reason: Reason) -> None:
    """No row is without an example, and none is shadowed by the rows before it."""
    examples = [(cause, expected) for cause, expected, _ in CAUSES if isinstance(cause, kind)]
    assert reason in [expected for _, expected in examples]


def test_a_cause_is_found_behind_others_and_within_groups() -> None:
    """Two addresses of a host that both refuse arrive as a group behind a nameless OSError."""
    group = ExceptionGroup(CANARY, [ConnectionRefusedError(111, CANARY), ConnectionRefusedError()])
    attempts = OSError("All connection attempts failed")
    attempts.__cause__ = group
    failure = failure_from(caused_by(attempts, httpx.ConnectError))
    assert failure == CheckFailure(Reason.CONNECTION_REFUSED)


def test_of_several_causes_the_most_telling_one_holds() -> None:
    """A number that an unnamed error hides behind another one is still found."""
    attempts = OSError("All connection attempts failed")
    attempts.__cause__ = ExceptionGroup(CANARY, [OSError(errno.ENETUNREACH, CANARY)])
    failure = failure_from(caused_by(attempts, httpx.ConnectError))
    assert failure.message == "Connection error: network is unreachable"


def test_a_cause_that_was_hidden_is_found_too() -> None:
    """The libraries below raise `from None`; the context is still there."""
    hidden = httpx.ConnectError(CANARY)
    hidden.__context__ = FileNotFoundError(CANARY)
    hidden.__suppress_context__ = True
    assert failure_from(hidden).reason is Reason.SOCKET_NOT_FOUND


@pytest.mark.parametrize(
    ("status", "reason", "message"),
    [
        (401, Reason.UNAUTHORIZED, "HTTP error: 401 Unauthorized"),
        (400, Reason.HTTP_ERROR, "HTTP error: 400 Bad Request"),
        (500, Reason.HTTP_ERROR, "HTTP error: 500 Internal Server Error"),
        (302, Reason.HTTP_ERROR, "HTTP error: 302 Found"),
        (204, Reason.HTTP_ERROR, "HTTP error: 204 No Content"),
        (799, Reason.HTTP_ERROR, "HTTP error: 799"),
    ],
)
def test_a_status_is_told_in_the_standards_words(status: int, reason: Reason, message: str) -> None:
    """Not in those of the answer's status line, which are the other side's text."""
    failure = http_failure(status)
    assert (failure.reason, failure.message) == (reason, message)
