"""`/health`, `/livez` and `/readyz`."""

import pytest
from litestar import Litestar
from litestar.testing import TestClient

from dstack_backend.adapters.litestar_http import handlers
from dstack_backend.domain import CheckResult, GpuInventory, HealthResponse
from tests.unit.adapters.litestar_http.harness import (
    AVAILABLE,
    UNAVAILABLE,
    AppClient,
    exposition,
)


@pytest.mark.parametrize(
    ("result", "status"),
    [(None, 503), (UNAVAILABLE, 503), (GpuInventory(), 200), (AVAILABLE, 200)],
)
def test_health_status_follows_availability(result: CheckResult | None, status: int) -> None:
    """200 while available, 503 while not. The body is the encoded response."""
    app = AppClient(result)
    response = app.get("/health")
    assert response.status_code == status
    assert response.content == app.health.response().body
    assert response.headers["content-type"] == "application/json"


def test_health_sends_the_encoded_bytes_unchanged() -> None:
    """They were encoded when the check finished and are not encoded again."""
    app = AppClient()
    app.health.health_response = HealthResponse(is_available=True, body=b"these very bytes")
    assert app.get("/health").content == b"these very bytes"


@pytest.mark.parametrize("result", [AVAILABLE, UNAVAILABLE])
def test_health_is_the_same_with_and_without_the_fast_path(result: CheckResult) -> None:
    """The handler mounted in another Litestar application answers as `HealthApp` does."""
    app = AppClient(result)
    routes = handlers(app.health, exposition, app.history, app.notifier, app.identity)
    with TestClient(Litestar(routes)) as client:
        by_handler, by_app = client.get("/health"), app.get("/health")
    assert by_handler.content == by_app.content
    assert by_handler.status_code == by_app.status_code
    assert dict(by_handler.headers).items() <= dict(by_app.headers).items()


def test_requests_are_counted_without_the_fast_path() -> None:
    """By the handler mounted in another application."""
    app = AppClient(AVAILABLE)
    routes = handlers(app.health, exposition, app.history, app.notifier, app.identity)
    with TestClient(Litestar(routes)) as client:
        client.get("/health")
        assert client.get("/status").json()["health_requests"]["count"] == 1


@pytest.mark.parametrize(
    ("result", "is_ready"), [(None, False), (UNAVAILABLE, True), (AVAILABLE, True)]
)
def test_readyz_follows_the_first_check(result: CheckResult | None, *, is_ready: bool) -> None:
    """503 before it, 200 after it, whatever its result."""
    response = AppClient(result).get("/readyz")
    assert response.status_code == (200 if is_ready else 503)
    assert response.json() == {"ready": is_ready}


@pytest.mark.parametrize("result", [None, UNAVAILABLE, AVAILABLE])
def test_livez_is_independent_of_the_source(result: CheckResult | None) -> None:
    """An outage of the source must not restart the service."""
    response = AppClient(result).get("/livez")
    assert (response.status_code, response.json()) == (200, {"alive": True})
