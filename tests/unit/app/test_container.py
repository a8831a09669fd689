"""The container: each provider can be replaced, and the whole works over HTTP."""

import asyncio
import json
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import pytest
from dependency_injector import providers
from hypothesis import given
from hypothesis import strategies as st
from litestar import Litestar
from litestar.testing import TestClient

from dstack_backend.adapters.httpx_dstack import ConnectionWatcher, HttpxDStack
from dstack_backend.adapters.httpx_dstack.decode import decode_listing
from dstack_backend.adapters.litestar_http import HealthApp
from dstack_backend.adapters.prometheus_metrics import PrometheusMetrics
from dstack_backend.app.config.settings import load, load_dstack
from dstack_backend.app.container import Container
from dstack_backend.app.errors import UserError
from dstack_backend.app.history.log import HistoryLog
from dstack_backend.app.monitoring.monitor import Monitor
from dstack_backend.app.notify.messages import Writer
from dstack_backend.app.notify.sender import Notifications
from dstack_backend.domain import CheckResult, GpuInventory, NodeIdentity
from dstack_backend.domain.notification import NotifyPolicy
from dstack_backend.domain.requests import HealthRequests
from dstack_backend.testing.fakes import (
    EPOCH,
    FakeClock,
    FakeGpuSource,
    FakeHealth,
    FakeHistory,
    FakeHistoryStore,
    FakeNotifier,
    FakeWatcher,
    RecordingObserver,
)
from dstack_backend.testing.strategies import check_results, hostile_bodies, listing_bodies


def container_of(**replacements: object) -> Container:
    """Return a container with replaced providers."""
    container = Container(
        settings=load({"HISTORY": "off"}, {}), dstack_settings=load_dstack({}, {})
    )
    for name, replacement in replacements.items():
        provider: Any = container.providers[name]  # its type does not tell what it provides
        provider.override(providers.Object(replacement))
    return container


def history_log() -> HistoryLog:
    """Return a history that is saved in memory."""
    return HistoryLog(FakeHistoryStore, timedelta(days=1), FakeClock())


def notifications() -> Notifications:
    """Return notifications to no address."""
    writer = Writer("en", NodeIdentity())
    return Notifications([], writer.message, NotifyPolicy(), FakeClock())


@asynccontextmanager
async def no_lifespan(_: Litestar) -> AsyncGenerator[None, None]:
    """Run nothing beside the application."""
    yield


REPLACEMENTS: dict[str, Callable[[], object]] = {
    "settings": lambda: load({"CHECK_INTERVAL": "7", "HISTORY": "off"}, {}),
    "dstack_settings": lambda: load_dstack({"DSTACK_URL": "http://localhost:1"}, {}),
    "identity": lambda: NodeIdentity(topic="mine"),
    "clock": FakeClock,
    "source": FakeGpuSource,
    "source_name": lambda: "sysfs",
    "watcher": FakeWatcher,
    "log_observer": RecordingObserver,
    "health_requests": lambda: HealthRequests(float),
    "metrics": PrometheusMetrics,
    "open_history": lambda: FakeHistoryStore,
    "history": history_log,
    "notifier": FakeNotifier,
    "notifications": notifications,
    "observers": lambda: [RecordingObserver()],
    "monitor": FakeHealth,
    "max_connections": lambda: 32,
    "notify_systemd": lambda: str,  # a function of a text
    "lifespan": lambda: no_lifespan,
    "http_app": lambda: HealthApp(
        FakeHealth(),
        PrometheusMetrics().render,
        no_lifespan,
        FakeHistory([], EPOCH),
        FakeNotifier(),
        NodeIdentity(),
    ),
}
"""A replacement for each provider."""


def test_every_provider_has_a_replacement_in_this_file() -> None:
    """A new provider is tested below, too."""
    assert set(Container.providers) == set(REPLACEMENTS)


@pytest.mark.parametrize("name", REPLACEMENTS)
def test_each_provider_can_be_replaced(name: str, caplog: pytest.LogCaptureFixture) -> None:
    """The container returns the replacement, and the application answers with it."""
    replacement = REPLACEMENTS[name]()
    others = {"source": FakeGpuSource(), "watcher": FakeWatcher()} | {name: replacement}
    if name == "monitor":  # a replaced monitor runs no checks
        others["lifespan"] = no_lifespan
    container = container_of(**others)
    assert container.providers[name]() is replacement
    with TestClient(container.http_app()) as client:
        for path in ("/health", "/status", "/metrics", "/history", "/uptime", "/"):
            assert client.get(path).status_code in {200, 503}
        assert "version" in client.get("/health").json()
    assert [each.message for each in caplog.records if each.levelname == "ERROR"] == []


def test_real_objects_are_created_once() -> None:
    """Creating them opens and calls nothing."""
    container = container_of()
    assert isinstance(container.source(), HttpxDStack)
    assert isinstance(container.watcher(), ConnectionWatcher)
    assert isinstance(container.monitor(), Monitor)
    assert isinstance(container.http_app(), HealthApp)
    names = ("clock", "source", "watcher", "log_observer", "metrics", "monitor", "http_app")
    for name in names:
        assert container.providers[name]() is container.providers[name]()


def test_messages_are_sent_where_an_address_is_set() -> None:
    """Without one nothing observes the monitor for it."""
    assert container_of().notifications() is None
    container = container_of(settings=load({"NOTIFY_URLS": "json://localhost"}, {}))
    assert container.notifications() in container.observers()


def test_bad_address_is_refused_without_repeating_it() -> None:
    """With its position."""
    settings = load({"NOTIFY_URLS": "json://localhost, none://t0ken"}, {})
    with pytest.raises(UserError, match=r"NOTIFY_URLS .*: address 2: ") as caught:
        container_of(settings=settings).http_app()
    assert "t0ken" not in str(caught.value)


def test_two_containers_share_nothing() -> None:
    """A replacement in one does not affect the other."""
    one, other = container_of(source=FakeGpuSource()), container_of()
    assert isinstance(one.source(), FakeGpuSource)
    assert isinstance(other.source(), HttpxDStack)


def test_monitor_uses_the_objects_of_the_container() -> None:
    """Source, clock, observers and identity of the container are used."""
    source, clock, observer = FakeGpuSource([GpuInventory()]), FakeClock(), RecordingObserver()
    identity = NodeIdentity(topic="mine", pubkeys=("k",))
    container = container_of(source=source, clock=clock, log_observer=observer, identity=identity)
    asyncio.run(container.monitor().check())
    assert source.calls == 1
    assert [check.finished.monotonic for check in observer.checks] == [clock.monotonic()]
    assert len(observer.changes) == 1
    info = json.loads(container.monitor().response().body)
    assert (info["topic"], info["pubkeys"]) == ("mine", ["k"])
    page = container.metrics().render(container.monitor().report()).decode()
    assert 'dstack_backend_checks_total{reason="",result="success"} 1.0' in page


def test_application_checks_while_it_runs() -> None:
    """The first check starts at once; the end of the application cancels a running one."""
    source = FakeGpuSource()
    source.hang()
    app = container_of(source=source, watcher=FakeWatcher()).http_app()
    with TestClient(app) as client:
        assert client.get("/health").json()["metadata"] == "Starting: no check has finished yet"
        assert (source.calls, source.under_way) == (1, 1)
    assert (source.cancelled, source.under_way) == (1, 0)


def test_changes_are_in_the_history() -> None:
    """The application records its changes, and `/history` returns them."""
    container = container_of(source=FakeGpuSource(), watcher=FakeWatcher(), clock=FakeClock())
    with TestClient(container.http_app()) as client:
        entries: list[dict[str, object]] = []
        while not entries:
            entries = client.get("/history").json()["entries"]
    assert [(entry["before"], entry["after"]) for entry in entries] == [(None, "available")]


class FakedNode:
    """The whole application with a fake source and clock, read over HTTP."""

    def __init__(self) -> None:
        self.result: CheckResult = GpuInventory()
        self._container = container_of(
            source=FakeGpuSource(lambda: self.result),
            clock=FakeClock(),
            log_observer=RecordingObserver(),
        )
        self._client = TestClient(self._container.http_app())

    def check(self, result: CheckResult) -> None:
        """Run one check with this result."""
        self.result = result
        asyncio.run(self._container.monitor().check())

    def get(self, path: str) -> Any:
        """Return the body, after asserting that it agrees with the code."""
        response = self._client.get(path)
        body = response.json()
        if path == "/health":
            assert response.status_code == (200 if body["status"] == "available" else 503)
        return body


@pytest.fixture(scope="module")
def node() -> FakedNode:
    """Return one node for all examples: each check replaces its state."""
    return FakedNode()


@given(pair=listing_bodies())
def test_any_valid_listing_reaches_health(
    node: FakedNode, pair: tuple[GpuInventory, bytes]
) -> None:
    """From DStack's bytes to those of `/health` no GPU and no text is lost."""
    inventory, body = pair
    node.check(decode_listing(body))
    info = node.get("/health")
    gpus = json.loads(info["metadata"])["gpus"]
    assert info["status"] == "available"
    assert [gpu["description"] for gpu in gpus] == [gpu.description for gpu in inventory.gpus]


@given(body=hostile_bodies())
def test_health_is_well_formed_after_any_bytes(node: FakedNode, body: bytes) -> None:
    """Whatever bytes DStack sends, metadata is JSON or one printable message."""
    node.check(decode_listing(body))
    info = node.get("/health")
    assert list(info) == ["version", "topic", "pubkeys", "status", "metadata"]
    if info["status"] == "available":
        assert json.loads(info["metadata"])["gpu_count"] >= 0
    else:
        assert info["metadata"].startswith("Parse error: ")
        assert info["metadata"].isprintable()


@given(results=st.lists(check_results(), min_size=1, max_size=3))
def test_all_endpoints_agree(node: FakedNode, results: list[CheckResult]) -> None:
    """After any checks `/health`, `/status` and `/` report the same status."""
    for result in results:
        node.check(result)
    health, status, index = node.get("/health"), node.get("/status"), node.get("/")
    assert health["status"] == status["status"] == index["status"]
    assert status["reason"] == index["reason"]
    if health["status"] == "available":
        assert json.loads(health["metadata"]) == status["inventory"]
    else:
        assert health["metadata"] == status["message"]
