"""Whatever a client sends, to the application in this process."""

import asyncio
import json
import logging
from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from litestar import Litestar

from dstack_backend.adapters.litestar_http import HealthApp
from dstack_backend.adapters.memory_history import MemoryHistory
from dstack_backend.adapters.prometheus_metrics import PrometheusMetrics
from dstack_backend.domain.check import Reason
from dstack_backend.domain.history import HistoryEntry, Uptime
from dstack_backend.domain.status import Status
from dstack_backend.testing.fakes import EPOCH, FakeHealth
from dstack_backend.testing.strategies import check_results
from tests.fuzz.effort import effort
from tests.fuzz.requests import Request, requests

LONGEST = 5.0
"""Seconds for one answer; far more than it takes."""


class Memory:
    """A past of two hundred changes."""

    def __init__(self) -> None:
        self._history = MemoryHistory()
        entry = HistoryEntry(
            at=EPOCH,
            before=Status.AVAILABLE,
            after=Status.UNAVAILABLE,
            reason=Reason.TIMED_OUT,
            message="Connection error: no answer in time",
        )
        self._history.append([entry] * 200, EPOCH + timedelta(hours=1))

    async def latest(
        self,
        limit: int,
        *,
        since: datetime | None = None,
        until: datetime | None = None,
        before: int | None = None,
    ) -> list[HistoryEntry]:
        """Give the newest."""
        return self._history.latest(limit, since=since, until=until, before=before)

    async def timeline(self, seconds: float, slots: int) -> list[Uptime]:
        """Give slots of one kind."""
        return [Uptime(seconds / slots, 0.0, 0.0)] * slots


@asynccontextmanager
async def nothing(_: Litestar) -> AsyncGenerator[None, None]:
    """A lifespan in which nothing happens."""
    yield


class Errors(logging.Handler):
    """Keeps what is logged as an error."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.records: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep it."""
        self.records.append(record)


class AppClient:
    """The application, and how to ask it."""

    def __init__(self) -> None:
        self.health = FakeHealth()
        metrics = PrometheusMetrics()
        self.app = HealthApp(self.health, metrics.render, nothing, past=Memory())
        self.errors = Errors()
        self.loop = asyncio.new_event_loop()

    def ask(self, request: Request) -> tuple[int, dict[bytes, bytes], bytes]:
        """Give status, headers and body."""
        sent: list[Any] = []
        parts = [{"type": "http.request", "body": request.body, "more_body": False}]

        async def receive() -> Any:
            return parts.pop() if parts else {"type": "http.disconnect"}

        async def send(message: Any) -> None:
            sent.append(message)

        call: Any = self.app(scope_of(request), receive, send)
        self.loop.run_until_complete(asyncio.wait_for(call, LONGEST))
        start, *body = sent
        assert start["type"] == "http.response.start"
        return (
            start["status"],
            dict(start["headers"]),
            b"".join(each.get("body", b"") for each in body),
        )


def scope_of(request: Request) -> Any:
    """Give what an ASGI server makes of a request."""
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": "1.1",
        "scheme": "http",
        "method": request.method,
        "path": request.path,
        "raw_path": request.target.partition(b"?")[0],
        "query_string": request.query,
        "root_path": "",
        "headers": [(b"host", b"me"), *((name.lower(), text) for name, text in request.headers)],
        "client": ("127.0.0.1", 4711),
        "server": ("127.0.0.1", 8080),
        "state": {},
    }


@pytest.fixture(scope="module")
def face() -> Iterator[AppClient]:
    """One application for all examples: it keeps nothing between requests."""
    face = AppClient()
    root = logging.getLogger()
    root.addHandler(face.errors)
    yield face
    root.removeHandler(face.errors)
    face.loop.close()


@effort(6_000)
@given(request=requests(), result=st.none() | check_results())
def test_any_request_gets_an_answer_that_is_no_server_error(
    face: AppClient, request: Request, result: Any
) -> None:
    """Only `/health` and `/readyz` say 503, no traceback gets out, and no error is logged."""
    face.health.know(result)
    face.errors.records.clear()
    code, headers, body = face.ask(request)
    # Litestar takes `//health/` for `/health`.
    documented = request.path.replace("/", "") in {"health", "readyz"} and code == 503
    assert 200 <= code < 500 or documented, (code, body[:300])
    assert b"Traceback" not in body
    assert face.errors.records == []
    if headers.get(b"content-type", b"").startswith(b"application/json") and body:
        json.loads(body)
    assert face.ask(Request("GET", "/livez", b"", (), b""))[0] == 200


@effort(1_500)
@given(request=requests(), since=st.datetimes().map(datetime.isoformat))
def test_any_page_of_the_past_leads_to_the_next_one(
    face: AppClient, request: Request, since: str
) -> None:
    """The link in `next` is one that the service understands, whatever the window was."""
    query = request.query + f"&since={since}&limit=3".encode()
    code, _, body = face.ask(Request("GET", "/history", query, (), b""))
    if code == 200 and (link := json.loads(body)["next"]):
        path, _, query = link.partition("?")
        assert face.ask(Request("GET", path, query.encode(), (), b""))[0] == 200, link
