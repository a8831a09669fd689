"""A finished check: its result, the codes of a failure, and when it ran.

A failure has a stable code for programs and a message for people:

| kind             | reasons                                                                  |
|------------------|--------------------------------------------------------------------------|
| Starting         | `starting`                                                               |
| Stale            | `stale`                                                                  |
| Connection error | everything before an HTTP answer is complete                             |
| HTTP error       | the status of the answer is not 200                                      |
| Parse error      | the body of the answer is not what it should be                          |
| Too few GPUs     | fewer are listed than the operator requires                              |

Messages are sent to a public network. They contain no address, path, secret or text from the other
side. The code that creates a `CheckFailure` is responsible for its detail.
"""

from enum import StrEnum

from msgspec import Struct

from dstack_backend.domain.inventory import Inventory
from dstack_backend.domain.timestamp import Timestamp

__all__ = ["Check", "CheckFailure", "CheckResult", "FailureCause", "Reason"]


class Reason(StrEnum):
    """Why a node is unavailable. The values are stable: dashboards and alerts use them.

    `docs/http-api.md` lists the causes of each.
    """

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
    TOO_FEW_GPUS = "too_few_gpus"

    @property
    def kind(self) -> str:
        """The part of the message before the colon."""
        return _TEXTS[self][0]

    @property
    def summary(self) -> str:
        """The message where no detail is known."""
        kind, detail = _TEXTS[self]
        return f"{kind}: {detail}"

    @property
    def is_conclusive(self) -> bool:
        """Whether a check showed it. `starting` and `stale` mean that no check has."""
        return self not in (Reason.STARTING, Reason.STALE)


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
    Reason.TOO_FEW_GPUS: ("Too few GPUs", "fewer are listed than required"),
}


class FailureCause(StrEnum):
    """What a failure was caused by, where the reason alone does not tell what to do."""

    NAME_SERVER_UNREACHABLE = "name_server_unreachable"
    CERTIFICATE_EXPIRED = "certificate_expired"
    CERTIFICATE_NOT_YET_VALID = "certificate_not_yet_valid"
    CERTIFICATE_UNTRUSTED = "certificate_untrusted"
    CERTIFICATE_WRONG_HOST = "certificate_wrong_host"
    CERTIFICATE_INVALID = "certificate_invalid"
    NOT_HTTP = "not_http"
    HTTP_REDIRECT = "http_redirect"
    HTTP_BAD_REQUEST = "http_bad_request"
    HTTP_FORBIDDEN = "http_forbidden"
    HTTP_NOT_FOUND = "http_not_found"


class CheckFailure(Struct, frozen=True):
    """A check that did not return an inventory.

    Attributes:
        reason: The stable code.
        detail: What is wrong, more precisely than the text of the reason. It is published: it
            must not contain an address, a path, a secret or text from the other side.
        cause: A code for what the detail says, where a program decides on it.
    """

    reason: Reason
    detail: str = ""
    cause: FailureCause | None = None

    @property
    def message(self) -> str:
        """The failure in one line for people, as `<Kind>: <detail>`."""
        return f"{self.reason.kind}: {self.detail_text}"

    @property
    def detail_text(self) -> str:
        """The message without its kind."""
        return self.detail or _TEXTS[self.reason][1]


CheckResult = Inventory | CheckFailure
"""What a check returns: the inventory, or why there is none."""


class Check(Struct, frozen=True, kw_only=True):
    """One call of the source after it has returned.

    Attributes:
        result: What the call returned.
        started: When the call started, in seconds on the monotonic clock.
        finished: When the call returned.
        is_hinted: Whether a hint of the connectivity watcher caused it, and not the schedule.
    """

    result: CheckResult
    started: float
    finished: Timestamp
    is_hinted: bool = False

    @property
    def duration(self) -> float:
        """Seconds from start to finish."""
        return self.finished.monotonic - self.started

    @property
    def failure(self) -> CheckFailure | None:
        """The failure; `None` where the check returned an inventory."""
        return self.result if isinstance(self.result, CheckFailure) else None
