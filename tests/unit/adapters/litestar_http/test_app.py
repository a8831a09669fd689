"""The HTTP face over a health that somebody sets: paths, statuses, headers, bodies."""

from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager

import pytest
from litestar import Litestar
from litestar.testing import TestClient

from dstack_backend import __version__
from dstack_backend.adapters.litestar_http import HealthApp, handlers
from dstack_backend.domain import (
    CheckFailure,
    CheckResult,
    Gpu,
    GpuInventory,
    HealthResponse,
    Reason,
    StatusReport,
)
from dstack_backend.testing.fakes import FakeHealth

GPU = Gpu(slot="3b:00.0", product_id="10de:2335", description="NVIDIA", is_free=True)
GOOD = GpuInventory(gpus=(GPU,), allow_attach_all=True, source_version="v0.5.11")
BAD = CheckFailure(Reason.CONNECTION_REFUSED)

GETS = [
    *("/", "/health", "/livez", "/readyz", "/status", "/metrics"),
    *("/history", "/uptime", "/events"),
]


def exposition(report: StatusReport) -> bytes:
    """Metrics that name the status."""
    return f"up {report.status}\n".encode()


class AppClient:
    """A client of the face, and the health behind it."""

    def __init__(self) -> None:
        self.health = FakeHealth()
        self.life: list[str] = []
        self.client = TestClient(HealthApp(self.health, exposition, self._lifespan))

    @asynccontextmanager
    async def _lifespan(self, _: Litestar) -> AsyncGenerator[None, None]:
        self.life.append("begins")
        yield
        self.life.append("ends")


@pytest.fixture(scope="module")
def served() -> Iterator[AppClient]:
    """One face for all tests: it keeps nothing between requests."""
    face = AppClient()
    with face.client:
        yield face


@pytest.fixture
def face(served: AppClient) -> AppClient:
    """The face before the first check."""
    served.health.know(None)
    return served


@pytest.mark.parametrize(
    ("result", "status"), [(None, 503), (BAD, 503), (GpuInventory(), 200), (GOOD, 200)]
)
def test_health_serves_the_given_bytes(
    face: AppClient, result: CheckResult | None, status: int
) -> None:
    """200 while available, 503 while not; the body is the encoded answer as it is."""
    face.health.know(result)
    response = face.client.get("/health")
    assert response.status_code == status
    assert response.content == face.health.response().body
    assert response.headers["content-type"] == "application/json"


def test_health_does_not_look_into_the_bytes(face: AppClient) -> None:
    """They were encoded when the check finished; nothing encodes them again."""
    face.health.health_answer = HealthResponse(available=True, body=b"these very bytes")
    assert face.client.get("/health").content == b"these very bytes"


@pytest.mark.parametrize(("result", "ready"), [(None, False), (BAD, True), (GOOD, True)])
def test_readyz_follows_the_first_check(
    face: AppClient, result: CheckResult | None, *, ready: bool
) -> None:
    """503 before it, 200 after it, whatever it has brought."""
    face.health.know(result)
    response = face.client.get("/readyz")
    assert response.status_code == (200 if ready else 503)
    assert response.json() == {"ready": ready}


@pytest.mark.parametrize("result", [None, BAD, GOOD])
def test_livez_says_nothing_of_dstack(face: AppClient, result: CheckResult | None) -> None:
    """An outage of DStack never restarts us."""
    face.health.know(result)
    response = face.client.get("/livez")
    assert (response.status_code, response.json()) == (200, {"alive": True})


@pytest.mark.parametrize(
    ("result", "status", "reason"),
    [
        (None, "unavailable", "starting"),
        (BAD, "unavailable", "connection_refused"),
        (GOOD, "available", None),
    ],
)
def test_the_root_says_what_this_is_and_where_the_rest_is(
    face: AppClient, result: CheckResult | None, status: str, reason: str | None
) -> None:
    """Name, version, status with its reason; every link leads to something."""
    face.health.know(result)
    response = face.client.get("/")
    body = response.json()
    links = body.pop("links")
    assert response.status_code == 200
    assert body == {
        "name": "dstack-backend",
        "version": __version__,
        "status": status,
        "reason": reason,
    }
    assert {face.client.get(link).status_code for link in links.values()} <= {200, 503}
    assert set(GETS) - {"/"} < set(links.values())


def test_status_tells_the_whole_truth(face: AppClient) -> None:
    """Every field of the report, also of a bad one, and always with 200."""
    face.health.know(BAD)
    response = face.client.get("/status")
    assert response.status_code == 200
    assert response.json() == {
        "status": "unavailable",
        "reason": "connection_refused",
        "detail": "Connection error: connection refused",
        "last_change": "2026-01-01T00:00:00Z",
        "last_check": {
            "age_seconds": 0.75,
            "duration_seconds": 0.25,
            "reason": "connection_refused",
            "detail": "Connection error: connection refused",
        },
        "last_success": None,
        "consecutive_failures": 1,
        "source_version": None,
        "inventory": None,
    }


def test_status_shows_the_inventory_and_the_version(face: AppClient) -> None:
    """The same fields as the worker's metadata, but as JSON and not within a string."""
    face.health.know(GOOD)
    body = face.client.get("/status").json()
    assert body["source_version"] == "v0.5.11"
    assert body["inventory"]["gpus"][0]["model"] == "H200 SXM 141GB"
    assert body["inventory"]["free_gpu_count"] == 1


def test_metrics_are_rendered_from_the_report(face: AppClient) -> None:
    """In Prometheus's text format."""
    face.health.know(GOOD)
    response = face.client.get("/metrics")
    assert response.text == "up available\n"
    assert response.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"


@pytest.mark.parametrize("path", GETS)
def test_nothing_is_cached_and_nothing_is_sniffed(face: AppClient, path: str) -> None:
    """An answer is true for the moment of its making only."""
    headers = face.client.get(path).headers
    assert headers["cache-control"] == "no-store"
    assert headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize("path", GETS)
def test_head_is_answered_like_get(face: AppClient, path: str) -> None:
    """Same status, same headers; the server sends no body."""
    head, get = face.client.head(path), face.client.get(path)
    assert head.status_code == get.status_code
    assert head.headers == get.headers


@pytest.mark.parametrize("path", GETS)
def test_every_origin_may_read(face: AppClient, path: str) -> None:
    """The service that this one replaces answers so."""
    response = face.client.get(path, headers={"Origin": "https://example.org"})
    assert response.headers["access-control-allow-origin"] == "*"
    assert "access-control-allow-credentials" not in response.headers


def test_a_browser_may_ask_beforehand(face: AppClient) -> None:
    """A preflight for GET is granted."""
    asked = {"Origin": "https://example.org", "Access-Control-Request-Method": "GET"}
    response = face.client.options("/health", headers=asked)
    assert response.status_code == 204
    assert response.headers["access-control-allow-origin"] == "*"
    assert "GET" in response.headers["access-control-allow-methods"]


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
def test_other_methods_are_refused(face: AppClient, method: str) -> None:
    """There is nothing to write."""
    assert face.client.request(method, "/health").status_code == 405


@pytest.mark.parametrize("path", ["/nothing", "/health/x", "/%00", "/..%2f..%2fetc/passwd"])
def test_other_paths_are_not_there(face: AppClient, path: str) -> None:
    """404, and nothing of the path comes back."""
    response = face.client.get(path)
    assert response.status_code == 404
    assert path not in response.text


def test_the_openapi_document_names_every_path(face: AppClient) -> None:
    """With the 503 of those that have one, and the page beside the JSON of `/`."""
    document = face.client.get("/schema/openapi.json").json()
    assert set(document["paths"]) == set(GETS)
    for path in ("/health", "/readyz", "/uptime"):
        assert set(document["paths"][path]["get"]["responses"]) == {"200", "503"}
    assert set(document["paths"]["/history"]["get"]["responses"]) == {"200", "400", "503"}
    root = document["paths"]["/"]["get"]["responses"]["200"]["content"]
    assert set(root) == {"application/json", "text/html"}


def test_the_lifespan_is_as_long_as_the_application() -> None:
    """It begins before the first request and ends after the last."""
    face = AppClient()
    with face.client:
        assert face.life == ["begins"]
    assert face.life == ["begins", "ends"]


@pytest.mark.parametrize("result", [GOOD, BAD])
def test_health_is_the_same_with_and_without_the_short_cut(
    face: AppClient, result: CheckResult
) -> None:
    """The handler, mounted in another Litestar application, answers as the face itself does."""
    face.health.know(result)
    other = Litestar(handlers(face.health, exposition))
    with TestClient(other) as client:
        by_handler, by_face = client.get("/health"), face.client.get("/health")
    assert by_handler.content == by_face.content
    assert by_handler.status_code == by_face.status_code
    assert dict(by_handler.headers).items() <= dict(by_face.headers).items()


@pytest.mark.parametrize(
    ("method", "path", "code"),
    [
        ("GET", "/nowhere", 404),
        ("GET", "/history?limit=0", 400),
        ("GET", "/history?since=x", 400),
        ("POST", "/health", 405),
    ],
)
def test_an_error_is_kept_by_no_cache_and_taken_for_nothing_else(
    served: AppClient, method: str, path: str, code: int
) -> None:
    """It has the headers of every answer, and HEAD gives the same as GET."""
    answer = served.client.request(method, path)
    assert answer.status_code == code
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["x-content-type-options"] == "nosniff"
    if method == "GET":
        head = served.client.head(path)
        assert head.status_code == code
        assert head.headers["content-length"] == answer.headers["content-length"]
    else:
        assert answer.headers["allow"] == "GET, HEAD, OPTIONS"
