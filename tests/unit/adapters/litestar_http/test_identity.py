"""What a node of another source publishes: nothing in it is about DStack."""

from collections.abc import Iterator

import pytest
from litestar.testing import TestClient

from dstack_backend.adapters.litestar_http import HealthApp
from dstack_backend.adapters.litestar_http.page import assets
from dstack_backend.adapters.prometheus_metrics import PrometheusMetrics
from dstack_backend.domain import (
    Check,
    CheckFailure,
    CheckResult,
    GpuInventory,
    NodeIdentity,
    Reason,
    Timestamp,
)
from dstack_backend.testing.fakes import EPOCH, FakeHealth, FakeHistory
from tests.unit.adapters.inventories import DiskInventory
from tests.unit.adapters.litestar_http.documents import validate
from tests.unit.adapters.litestar_http.harness import (
    AVAILABLE,
    BROWSER,
    ENTRIES,
    NOW,
    ParsedPage,
    closed_notifier,
    no_lifespan,
)

IDENTITY = NodeIdentity(topic="sysfs-gpu-monitor", source="sysfs", service="sysfs-gpus")


RESULTS: dict[str, CheckResult | None] = {
    "no-check": None,
    "gpus": AVAILABLE,
    "no-gpus": GpuInventory(),
    "disks": DiskInventory(),
    **{reason: CheckFailure(reason) for reason in Reason},
}


@pytest.fixture(scope="module")
def app() -> Iterator[tuple[TestClient[HealthApp], FakeHealth]]:
    """An application with that identity, and its metrics."""
    health = FakeHealth()
    metrics = PrometheusMetrics(IDENTITY.service)
    check = Check(
        result=CheckFailure(Reason.TIMED_OUT), started=0.0, finished=Timestamp(1.0, EPOCH)
    )
    metrics.on_check(check)
    history = FakeHistory(ENTRIES, NOW)
    app = HealthApp(health, metrics.render, no_lifespan, history, closed_notifier(), IDENTITY)
    with TestClient(app) as client:
        yield client, health


@pytest.mark.parametrize("result", RESULTS.values(), ids=RESULTS.keys())
def test_no_response_mentions_dstack(
    app: tuple[TestClient[HealthApp], FakeHealth], result: CheckResult | None
) -> None:
    """Bodies and headers of every path, in both languages, whatever the check returned."""
    client, health = app
    health.know(result, IDENTITY)
    paths = ("health", "livez", "readyz", "status", "gpus", "metrics", "history", "uptime")
    badges = ("badge.svg", "badge.svg?window=7d&lang=zh")
    documents = (
        "schema/openapi.json",
        "schema/openapi.yaml",
        "history?limit=0",
        "history?kind=x",
        "nothing",
    )
    for path in ("", *paths, *badges, "events", *documents, "?lang=en", "?lang=zh"):
        headers = BROWSER if path.startswith("?") else {}
        response = client.get(f"/{path}", headers=headers)
        assert "dstack" not in response.text.lower(), path
        assert "dstack" not in str(response.headers).lower(), path


@pytest.mark.parametrize("result", RESULTS.values(), ids=RESULTS.keys())
def test_bodies_are_valid_for_openapi(
    app: tuple[TestClient[HealthApp], FakeHealth], result: CheckResult | None
) -> None:
    """Whatever the inventory is."""
    client, health = app
    health.know(result, IDENTITY)
    for path in ("/", "/status", "/gpus"):
        validate(client, path)


def test_no_asset_mentions_dstack() -> None:
    """The page's files are the same for every source."""
    for name, (content, _) in assets().items():
        assert b"dstack" not in name.encode() + content.lower(), name


def test_the_service_name_is_published_in_its_place(
    app: tuple[TestClient[HealthApp], FakeHealth],
) -> None:
    """In `/`, the page, the OpenAPI document and the names of the metrics."""
    client, health = app
    health.know(AVAILABLE, IDENTITY)
    assert client.get("/").json()["name"] == "sysfs-gpus"
    page = ParsedPage(client.get("/", headers=BROWSER).text)
    assert page.text.count("sysfs-gpus") >= 3
    openapi = client.get("/schema/openapi.json").json()
    assert openapi["info"]["title"] == "sysfs-gpus"
    assert "sysfs" in openapi["info"]["description"]
    (example,) = openapi["paths"]["/health"]["get"]["responses"]["200"]["content"][
        "application/json"
    ]["examples"].values()
    assert example["value"]["topic"] == "sysfs-gpu-monitor"
    metrics = client.get("/metrics").text
    assert "\nsysfs_gpus_up 1.0\n" in metrics
    assert 'sysfs_gpus_checks_total{reason="timed_out",result="failure"} 1.0' in metrics
    assert "\nsysfs_gpus_gpus_listed 1.0\n" in metrics
