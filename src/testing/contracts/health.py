"""What the worker may rely on, asked of a running service over HTTP."""

import json
import ssl
from collections.abc import Mapping
from http.client import HTTPMessage

from dstack_backend.domain.status import Status
from dstack_backend.testing.contracts.backend_info import (
    check_backend_info,
    check_gpu_metadata,
    check_kind,
)
from dstack_backend.testing.contracts.http_request import Answer, get, head

__all__ = ["GpuHealthContract", "HealthContract"]

AT_ONCE = 1.0
"""Seconds within which an answer from memory is there, on however busy a machine."""

PAGE = "https://example.com"


class HealthContract:
    """Holds for any service that answers as a backend of dephy, whatever it reports on.

    Attributes:
        tls: Whom to trust where the address begins with `https://`; by default the system's
            certificates.
    """

    tls: ssl.SSLContext | None = None

    def url(self) -> str:
        """Give the address of the running service's `/health`."""
        raise NotImplementedError

    def check_metadata(self, metadata: Mapping[str, object]) -> None:
        """Assert what holds for the metadata of your topic while available; here nothing."""

    def check_failure(self, message: str) -> None:
        """Assert what holds for your sentences beyond their form; here nothing."""

    def test_the_answer_is_a_backend_info(self) -> None:
        """Fields, order, types, metadata, and a code that agrees with the status."""
        self._check(get(self.url(), self.tls))

    def test_the_answer_is_json_that_nobody_keeps(self) -> None:
        """A cache between us and the worker would hold on to an old status."""
        headers = get(self.url(), self.tls).headers
        kind = headers.get_content_type()
        assert kind == "application/json", f"Content-Type is {kind}, and not application/json"
        directives = _directives(headers)
        assert "no-store" in directives, f"Cache-Control is {directives}, without no-store"

    def test_a_web_page_may_read_the_answer(self) -> None:
        """CORS is open for GET, as it was with the service that this one replaces."""
        allowed = get(self.url(), self.tls, PAGE).headers["Access-Control-Allow-Origin"]
        assert allowed in ("*", PAGE), f"Access-Control-Allow-Origin is {allowed} for {PAGE}"

    def test_head_answers_as_get_without_the_body(self) -> None:
        """HEAD gives the same code and headers, and not one byte after them."""
        if self._head() != self._get():  # the status may have turned between the two
            first, second = self._head(), self._get()
            assert first == second, f"HEAD answers {first}, GET {second}"

    def test_the_answer_comes_at_once(self) -> None:
        """It is read from memory and waits for nobody."""
        slowest = max(get(self.url(), self.tls).seconds for _ in range(5))
        assert slowest < AT_ONCE, f"an answer took {slowest:.1f} s"

    def test_a_query_changes_nothing(self) -> None:
        """A poller that defeats caches with a query reads the same."""
        start = self.url() + ("&" if "?" in self.url() else "?")
        self._check(get(start + "t=1&callback=x", self.tls))

    def _check(self, answer: Answer) -> None:
        info = check_backend_info(answer.code, answer.body)
        if info.status is Status.AVAILABLE:
            self.check_metadata(json.loads(info.metadata))
        else:
            self.check_failure(info.metadata)

    def _get(self) -> tuple[int, str, list[str]]:
        answer = get(self.url(), self.tls)
        return answer.code, answer.headers.get_content_type(), _directives(answer.headers)

    def _head(self) -> tuple[int, str, list[str]]:
        answer = head(self.url(), self.tls)
        assert not answer.body, f"after the headers HEAD sends {answer.body[:80]!r}"
        return answer.code, answer.headers.get_content_type(), _directives(answer.headers)


class GpuHealthContract(HealthContract):
    """Holds for a service that reports on GPUs exactly as this one does."""

    def check_metadata(self, metadata: Mapping[str, object]) -> None:
        """Assert that they are our fields in their order, with counts that count."""
        check_gpu_metadata(metadata)

    def check_failure(self, message: str) -> None:
        """Assert that its kind is one of ours."""
        check_kind(message)


def _directives(headers: HTTPMessage) -> list[str]:
    lines: list[str] = headers.get_all("Cache-Control", [])
    return [part.strip().lower() for line in lines for part in line.split(",")]
