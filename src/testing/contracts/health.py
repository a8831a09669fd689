"""Contract suites for a running `/health`, over HTTP."""

import json
import ssl
import time
from collections.abc import Mapping
from http.client import HTTPMessage

from dstack_backend.domain.status import Status
from dstack_backend.testing.contracts.backend_info import (
    check_backend_info,
    check_gpu_metadata,
    check_kind,
)
from dstack_backend.testing.contracts.http_request import Answer, request

__all__ = ["GpuHealthContract", "HealthContract"]

MAX_RESPONSE_TIME = 1.0
"""Seconds for an answer from memory, on a busy machine."""

ORIGIN = "https://example.com"


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
        answer = request("GET", self.url(), self.tls, ORIGIN)
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
        self._check(request("GET", self.url() + query, self.tls))

    def _get(self) -> Answer:
        return request("GET", self.url(), self.tls)

    def _summary(self, method: str) -> tuple[int, str, list[str]]:
        answer = request(method, self.url(), self.tls)
        assert method == "GET" or not answer.body, f"HEAD sends a body: {answer.body[:80]!r}"
        return answer.code, answer.headers.get_content_type(), _directives(answer.headers)

    def _check(self, answer: Answer) -> None:
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
