"""Contract suites for a running `/health`, over HTTP."""

import json
import ssl
import time
from collections.abc import Mapping
from contextlib import closing, suppress
from http.client import HTTPConnection, HTTPException, HTTPMessage, HTTPResponse, HTTPSConnection
from urllib.parse import SplitResult, urlsplit

from msgspec import Struct

from dstack_backend.domain.status import Status
from dstack_backend.testing.contracts.backend_info import (
    check_backend_info,
    check_gpu_metadata,
    check_kind,
)

__all__ = ["GpuHealthContract", "HealthContract"]

MAX_RESPONSE_TIME = 1.0
"""Seconds for an answer from memory, on a busy machine."""

TIMEOUT = 10.0
MAX_SIZE = 1024 * 1024
ORIGIN = "https://example.com"


class _Answer(Struct, frozen=True):
    """An HTTP answer. Its body is what follows the headers, after HEAD too."""

    code: int
    headers: HTTPMessage
    body: bytes


class HealthContract:
    """Contract of any backend of dephy-worker, with any metadata.

    Attributes:
        tls: Trusted certificates for `https://`; by default those of the system.
    """

    tls: ssl.SSLContext | None = None

    def url(self) -> str:
        """Return the address of the running service's `/health`."""
        raise NotImplementedError

    def check_metadata(self, metadata: Mapping[str, object]) -> None:
        """Assert further properties of the metadata while available. By default: none."""

    def check_failure(self, message: str) -> None:
        """Assert further properties of the message while unavailable. By default: none."""

    def test_body_is_a_backend_info(self) -> None:
        """Fields, order, types and metadata are right, and the code agrees with the status."""
        self._check(self._get())

    def test_answer_is_json_and_not_cached(self) -> None:
        """A cache between the backend and the worker would return an old status."""
        headers = self._get().headers
        kind = headers.get_content_type()
        assert kind == "application/json", f"Content-Type is {kind}; expected application/json"
        directives = _directives(headers)
        assert "no-store" in directives, f"Cache-Control is {directives}; expected no-store"

    def test_cors_allows_any_origin(self) -> None:
        """A web page may read the answer."""
        answer = _request("GET", self.url(), self.tls, ORIGIN)
        allowed = answer.headers["Access-Control-Allow-Origin"]
        assert allowed in ("*", ORIGIN), f"Access-Control-Allow-Origin is {allowed} for {ORIGIN}"

    def test_head_answers_as_get_without_a_body(self) -> None:
        """HEAD has the same code and headers as GET, and no byte after them."""
        if self._summary("HEAD") != self._summary("GET"):  # the status may have just changed
            first, second = self._summary("HEAD"), self._summary("GET")
            assert first == second, f"HEAD answers {first}, but GET {second}"

    def test_answer_comes_from_memory(self) -> None:
        """An answer does not wait for a check."""
        for _ in range(5):
            started = time.monotonic()
            self._get()
            seconds = time.monotonic() - started
            assert seconds < MAX_RESPONSE_TIME, f"an answer took {seconds:.1f} s"

    def test_query_is_ignored(self) -> None:
        """A query, which pollers add against caches, does not change the answer."""
        query = ("&" if "?" in self.url() else "?") + "t=1&callback=x"
        self._check(_request("GET", self.url() + query, self.tls))

    def _get(self) -> _Answer:
        return _request("GET", self.url(), self.tls)

    def _summary(self, method: str) -> tuple[int, str, list[str]]:
        answer = _request(method, self.url(), self.tls)
        assert method == "GET" or not answer.body, f"HEAD sends a body: {answer.body[:80]!r}"
        return answer.code, answer.headers.get_content_type(), _directives(answer.headers)

    def _check(self, answer: _Answer) -> None:
        info = check_backend_info(answer.code, answer.body)
        if info.status is Status.AVAILABLE:
            self.check_metadata(json.loads(info.metadata))
        else:
            self.check_failure(info.metadata)


class GpuHealthContract(HealthContract):
    """Contract of a backend with exactly the metadata and the kinds of failure of this one."""

    def check_metadata(self, metadata: Mapping[str, object]) -> None:
        """Assert that the fields, their order and the counts are right."""
        check_gpu_metadata(metadata)

    def check_failure(self, message: str) -> None:
        """Assert that the kind is one of this package."""
        check_kind(message)


def _directives(headers: HTTPMessage) -> list[str]:
    lines: list[str] = headers.get_all("Cache-Control", [])
    return [part.strip().lower() for line in lines for part in line.split(",")]


def _request(
    method: str, url: str, tls: ssl.SSLContext | None, origin: str | None = None
) -> _Answer:
    """Send a GET or HEAD request on a connection of its own."""
    parts = _split(url)
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    headers = {"Connection": "close"} | ({"Origin": origin} if origin else {})
    try:
        with closing(_connect(parts, tls)) as connection:
            connection.request(method, target, headers=headers)
            with connection.getresponse() as response:
                body = _read_after_head(response) if method == "HEAD" else response.read()
                return _Answer(response.status, response.headers, body)
    except (OSError, HTTPException) as exc:
        raise AssertionError(f"{method} {url}: no answer: {exc!r}") from exc


def _split(url: str) -> SplitResult:
    with suppress(ValueError):  # an invalid port or bracket
        parts = urlsplit(url)
        if parts.scheme in ("http", "https") and parts.hostname and parts.port != 0:
            return parts
    raise AssertionError(f"url() must return http://host/... or https://host/..., not {url!r}")


def _connect(parts: SplitResult, tls: ssl.SSLContext | None) -> HTTPConnection:
    host = parts.netloc.rpartition("@")[2]
    if parts.scheme == "https":
        return HTTPSConnection(host, timeout=TIMEOUT, context=tls)
    return HTTPConnection(host, timeout=TIMEOUT)


def _read_after_head(response: HTTPResponse) -> bytes:
    with suppress(TimeoutError):  # the connection stays open, without a body
        return response.fp.read1(MAX_SIZE)  # `read` never returns a body of HEAD
    return b""
