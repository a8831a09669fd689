"""Failures of checks: one stable code for programs, one sentence for people.

| kind             | reasons                                                                  |
|------------------|--------------------------------------------------------------------------|
| Starting         | `starting`                                                               |
| Stale            | `stale`                                                                  |
| Connection error | everything before an HTTP answer is complete                             |
| HTTP error       | the answer's status is not 200                                           |
| Parse error      | the answer's body is not what it should be                               |

The sentences go out to a public network. They hold no address, no path, no secret and nothing
that the other side sent; whoever makes a `CheckFailure` sees to that in its detail.
"""

from enum import StrEnum

from msgspec import Struct

__all__ = ["CheckFailure", "Reason"]


class Reason(StrEnum):
    """Why a node is unavailable. The values are stable: dashboards and alerts hold them."""

    STARTING = "starting"
    STALE = "stale"
    CONNECTION_REFUSED = "connection_refused"
    HOST_NOT_FOUND = "host_not_found"
    SOCKET_NOT_FOUND = "socket_not_found"
    PERMISSION_DENIED = "permission_denied"
    TIMED_OUT = "timed_out"
    CONNECTION_CLOSED = "connection_closed"
    TLS_FAILED = "tls_failed"
    CONNECTION_FAILED = "connection_failed"
    UNAUTHORIZED = "unauthorized"
    HTTP_ERROR = "http_error"
    RESPONSE_TOO_LARGE = "response_too_large"
    INVALID_RESPONSE = "invalid_response"

    @property
    def kind(self) -> str:
        """What sort of failure it is: the sentence's part before the colon."""
        return _TEXTS[self][0]

    @property
    def summary(self) -> str:
        """The sentence where nothing more precise is known."""
        kind, detail = _TEXTS[self]
        return f"{kind}: {detail}"


_CONNECTION = "Connection error"
_HTTP = "HTTP error"
_PARSE = "Parse error"

_TEXTS = {
    Reason.STARTING: ("Starting", "no check has finished yet"),
    Reason.STALE: ("Stale", "the last check finished too long ago"),
    Reason.CONNECTION_REFUSED: (_CONNECTION, "connection refused"),
    Reason.HOST_NOT_FOUND: (_CONNECTION, "host not found"),
    Reason.SOCKET_NOT_FOUND: (_CONNECTION, "socket not found"),
    Reason.PERMISSION_DENIED: (_CONNECTION, "permission denied"),
    Reason.TIMED_OUT: (_CONNECTION, "no answer in time"),
    Reason.CONNECTION_CLOSED: (_CONNECTION, "connection closed before the answer was complete"),
    Reason.TLS_FAILED: (_CONNECTION, "TLS failed"),
    Reason.CONNECTION_FAILED: (_CONNECTION, "connection failed"),
    Reason.UNAUTHORIZED: (_HTTP, "401 Unauthorized"),
    Reason.HTTP_ERROR: (_HTTP, "not 200 OK"),
    Reason.RESPONSE_TOO_LARGE: (_PARSE, "the answer is too large"),
    Reason.INVALID_RESPONSE: (_PARSE, "the answer is not as expected"),
}


class CheckFailure(Struct, frozen=True):
    """A check that did not bring an inventory.

    Attributes:
        reason: The stable code.
        detail: What is wrong, more precisely than the reason's own text. It is published: no
            address, path, secret or text of the other side may be in it.
    """

    reason: Reason
    detail: str = ""

    @property
    def message(self) -> str:
        """One line for people: `<Kind>: <what is wrong>`."""
        return f"{self.reason.kind}: {self.detail}" if self.detail else self.reason.summary
