"""What the worker may rely on, asked of a running service over HTTP."""

import http.client
import time
from http.client import HTTPMessage
from urllib.parse import urlsplit

from msgspec import Struct

from dstack_backend.testing.contracts.backend_info import check_answer

__all__ = ["HealthContract"]

TIMEOUT = 10.0
AT_ONCE = 1.0
"""Seconds within which an answer from memory is there, on however busy a machine."""


class _Answer(Struct, frozen=True):
    code: int
    headers: HTTPMessage
    body: bytes
    seconds: float


class HealthContract:
    """Holds for any service that answers as this one does, in whatever state its GPUs are."""

    def url(self) -> str:
        """Give the address of the running service's `/health`."""
        raise NotImplementedError

    def test_the_answer_is_a_backend_info(self) -> None:
        """Fields, order, types, metadata, and a code that agrees with the status."""
        answer = _ask(self.url())
        check_answer(answer.code, answer.body)

    def test_the_answer_is_json_that_nobody_keeps(self) -> None:
        """A cache between us and the worker would hold on to an old status."""
        headers = _ask(self.url()).headers
        assert headers.get_content_type() == "application/json"
        assert headers["Cache-Control"] == "no-store"

    def test_a_web_page_may_read_the_answer(self) -> None:
        """CORS is open for GET, as it was with the service that this one replaces."""
        answer = _ask(self.url(), origin="https://example.com")
        assert answer.headers["Access-Control-Allow-Origin"] in ("*", "https://example.com")

    def test_head_answers_as_get_without_the_body(self) -> None:
        """HEAD gives the same code and headers."""
        head, get = _ask(self.url(), "HEAD"), _ask(self.url())
        assert head.body == b""
        assert head.code == get.code
        assert head.headers.get_content_type() == get.headers.get_content_type()
        assert head.headers["Cache-Control"] == get.headers["Cache-Control"]

    def test_the_answer_comes_at_once(self) -> None:
        """It is read from memory and waits for nobody."""
        assert max(_ask(self.url()).seconds for _ in range(5)) < AT_ONCE

    def test_a_query_changes_nothing(self) -> None:
        """A poller that defeats caches with a query reads the same."""
        answer = _ask(self.url() + "?t=1&callback=x")
        check_answer(answer.code, answer.body)


def _ask(url: str, method: str = "GET", origin: str | None = None) -> _Answer:
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.netloc, timeout=TIMEOUT)
    target = parts.path + (f"?{parts.query}" if parts.query else "")
    started = time.monotonic()
    try:
        connection.request(method, target, headers={"Origin": origin} if origin else {})
        response = connection.getresponse()
        body = response.read()
        return _Answer(response.status, response.headers, body, time.monotonic() - started)
    finally:
        connection.close()
