"""Any request, to the application in this process."""

import asyncio
import json
import logging
from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urljoin, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st
from litestar import Litestar

from dstack_backend.adapters.litestar_http import HealthApp
from dstack_backend.adapters.prometheus_metrics import PrometheusMetrics
from dstack_backend.domain.backend_info import NodeIdentity
from dstack_backend.domain.check import Reason
from dstack_backend.domain.history import HistoryEntry
from dstack_backend.domain.status import Status
from dstack_backend.testing.fakes import EPOCH, FakeHealth, FakeHistory, FakeNotifier
from dstack_backend.testing.strategies import check_results
from tests.fuzz.effort import effort
from tests.fuzz.requests import Request, requests

MAX_SECONDS = 5.0
"""For one response; far more than it takes."""

ENTRY = HistoryEntry(
    at=EPOCH,
    before=Status.AVAILABLE,
    after=Status.UNAVAILABLE,
    reason=Reason.TIMED_OUT,
    message="Connection error: no answer in time",
)


@asynccontextmanager
async def no_lifespan(_: Litestar) -> AsyncGenerator[None, None]:
    """Do nothing at the start and at the end."""
    yield


class ErrorRecords(logging.Handler):
    """Keeps the log records of errors."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.records: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep a record."""
        self.records.append(record)


class AppClient:
    """The application with a history of two hundred entries, called without a server."""

    def __init__(self) -> None:
        self.health = FakeHealth()
        history, notifier = FakeHistory([ENTRY] * 200, EPOCH + timedelta(hours=1)), FakeNotifier()
        notifier.close()  # streams end after their first event
        metrics, identity = PrometheusMetrics(), NodeIdentity()
        self.app = HealthApp(self.health, metrics.render, no_lifespan, history, notifier, identity)
        self.errors = ErrorRecords()
        self.loop = asyncio.new_event_loop()

    def send(self, request: Request) -> tuple[int, dict[bytes, bytes], bytes]:
        """Return status, headers and body."""
        sent: list[Any] = []
        parts = [{"type": "http.request", "body": request.body, "more_body": False}]

        async def receive() -> Any:
            return parts.pop() if parts else {"type": "http.disconnect"}

        async def send(message: Any) -> None:
            sent.append(message)

        call: Any = self.app(scope_of(request), receive, send)
        self.loop.run_until_complete(asyncio.wait_for(call, MAX_SECONDS))
        start, *body = sent
        assert start["type"] == "http.response.start"
        return (
            start["status"],
            dict(start["headers"]),
            b"".join(each.get("body", b"") for each in body),
        )


def scope_of(request: Request) -> Any:
    """Return the scope that an ASGI server creates for a request."""
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
def app() -> Iterator[AppClient]:
    """One application for all examples. It keeps no state between requests."""
    app = AppClient()
    root = logging.getLogger()
    root.addHandler(app.errors)
    yield app
    root.removeHandler(app.errors)
    app.loop.close()


@effort(6_000)
@given(request=requests(), result=st.none() | check_results())
def test_any_request_gets_a_response_without_a_server_error(
    app: AppClient, request: Request, result: Any
) -> None:
    """Only `/health` and `/readyz` answer 503, no traceback is sent, and no error is logged."""
    app.health.know(result)
    app.errors.records.clear()
    code, headers, body = app.send(request)
    # Litestar takes `//health/` for `/health`.
    is_documented = request.path.replace("/", "") in {"health", "readyz"} and code == 503
    assert 200 <= code < 500 or is_documented, (code, body[:300])
    assert b"Traceback" not in body
    assert app.errors.records == []
    if headers.get(b"content-type", b"").startswith(b"application/json") and body:
        json.loads(body)
    assert app.send(Request("GET", "/livez", b"", (), b""))[0] == 200


@effort(1_500)
@given(request=requests(), since=st.datetimes().map(datetime.isoformat))
def test_the_link_to_the_next_page_of_the_history_is_valid(
    app: AppClient, request: Request, since: str
) -> None:
    """Whatever the requested window was."""
    query = request.query + f"&since={since}&limit=3".encode()
    code, _, body = app.send(Request("GET", "/history", query, (), b""))
    if code == 200 and (link := json.loads(body)["next"]):
        target = urlsplit(urljoin("/history", link))
        page = Request("GET", target.path, target.query.encode(), (), b"")
        assert app.send(page)[0] == 200, link
