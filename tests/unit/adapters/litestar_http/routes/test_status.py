"""`/status`, `/metrics` and the JSON of `/`."""

import pytest
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from prometheus_client.openmetrics.exposition import CONTENT_TYPE_LATEST

from dstack_backend import __version__
from dstack_backend.domain import CheckResult, NodeIdentity
from tests.unit.adapters.inventories import DiskInventory
from tests.unit.adapters.litestar_http.harness import AVAILABLE, UNAVAILABLE, AppClient

PATHS = {
    *("/health", "/livez", "/readyz", "/status", "/gpus", "/metrics"),
    *("/history", "/uptime", "/events", "/badge.svg", "/schema/openapi.json"),
}


@pytest.mark.parametrize(
    ("result", "status", "reason"),
    [
        (None, "unavailable", "starting"),
        (UNAVAILABLE, "unavailable", "connection_refused"),
        (AVAILABLE, "available", None),
    ],
)
def test_index_names_the_service_and_links_to_every_path(
    result: CheckResult | None, status: str, reason: str | None
) -> None:
    """Name, version, status with its reason, and links."""
    app = AppClient(result, identity=NodeIdentity(node="gpu-07"))
    response = app.get("/")
    body = response.json()
    links = [f"/{link}" for link in body.pop("links").values()]
    assert response.status_code == 200
    assert body == {
        "name": "dstack-backend",
        "node": "gpu-07",
        "version": __version__,
        "status": status,
        "reason": reason,
    }
    assert {app.get(link).status_code for link in links} <= {200, 503}
    assert set(links) == PATHS


@pytest.mark.parametrize(
    ("result", "has_gpus"),
    [(None, False), (UNAVAILABLE, False), (DiskInventory(), False), (AVAILABLE, True)],
)
def test_index_of_another_source_links_to_gpus_where_it_has_some(
    result: CheckResult | None, *, has_gpus: bool
) -> None:
    """Nothing of GPUs is shown for an inventory without them."""
    app = AppClient(result, identity=NodeIdentity(source="sysfs"))
    assert ("gpus" in app.get("/").json()["links"]) == has_gpus


@pytest.mark.parametrize("headers", [{}, {"Accept": "*/*"}, {"Accept": "application/json"}])
def test_programs_get_json_at_the_index(headers: dict[str, str]) -> None:
    """`Vary` tells caches that browsers get a page."""
    response = AppClient().get("/", **headers)
    assert response.json()["name"] == "dstack-backend"
    assert {"Accept", "Accept-Language"} <= set(response.headers["vary"].split(", "))


def test_status_has_every_field_of_the_report() -> None:
    """Also while unavailable, and always with 200."""
    app = AppClient(UNAVAILABLE, identity=NodeIdentity(node="gpu-07"))
    response = app.get("/status")
    assert response.status_code == 200
    assert response.json() == {
        "status": "unavailable",
        "reason": "connection_refused",
        "message": "Connection error: connection refused",
        "last_change": "2026-01-01T00:00:00Z",
        "last_check": {
            "age_seconds": 0.75,
            "duration_seconds": 0.25,
            "reason": "connection_refused",
            "message": "Connection error: connection refused",
        },
        "last_success": None,
        "consecutive_failures": 1,
        "source_version": None,
        "inventory": None,
        "node": "gpu-07",
        "health_requests": {"count": 0, "last_age_seconds": None, "clients": 0},
    }


def test_requests_for_health_are_counted_but_not_those_of_browsers() -> None:
    """Nor HEAD, nor another path. With the age of the last one, and the number of clients."""
    app = AppClient(AVAILABLE)
    for path in ("/status", "/livez", "/readyz", "/"):
        app.get(path)
    app.client.head("/health")
    app.get("/health", **{"User-Agent": "Mozilla/5.0 (X11; Linux x86_64)"})
    assert app.get("/status").json()["health_requests"]["count"] == 0
    for _ in range(3):
        app.get("/health")
    requests = app.get("/status").json()["health_requests"]
    assert (requests["count"], requests["clients"]) == (3, 1)
    assert 0 <= requests["last_age_seconds"] < 60


def test_status_has_the_inventory_as_json() -> None:
    """The same fields as the metadata of `/health`, but not encoded in a string."""
    body = AppClient(AVAILABLE).get("/status").json()
    assert body["source_version"] == "v0.5.11"
    assert body["inventory"]["gpus"][0]["model"] == "H200 SXM 141GB"
    assert body["inventory"]["free_gpu_count"] == 1


def test_status_has_the_metadata_of_any_inventory() -> None:
    """The struct is encoded whatever its fields are."""
    body = AppClient(DiskInventory()).get("/status").json()
    assert (body["message"], body["inventory"]) == ("2 disks, <5> TB free", {"free_bytes": 5})


@pytest.mark.parametrize(
    ("accept", "end", "content_type"),
    [
        ("*/*", "", CONTENT_TYPE_PLAIN_0_0_4),
        ("application/openmetrics-text", "# EOF", CONTENT_TYPE_LATEST),
    ],
)
def test_metrics_are_rendered_from_the_report(accept: str, end: str, content_type: str) -> None:
    """In Prometheus's text format, or in OpenMetrics. Caches know that `Accept` decides."""
    response = AppClient(AVAILABLE).get("/metrics", Accept=accept)
    assert response.text == f"up available\n{end}"
    assert response.headers["content-type"] == content_type
    assert response.headers["vary"] == "Accept"
    assert response.headers["cache-control"] == "no-store"


def test_openapi_names_both_formats_of_the_metrics() -> None:
    """With the types that the responses have."""
    document = AppClient().get("/schema/openapi.json").json()
    content = document["paths"]["/metrics"]["get"]["responses"]["200"]["content"]
    assert {*content, *(f"{name}; charset=utf-8" for name in content)} >= {
        CONTENT_TYPE_LATEST,
        CONTENT_TYPE_PLAIN_0_0_4,
    }
