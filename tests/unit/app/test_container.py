"""The composition root: each provider can be another one, and what it ties works as a whole."""

import asyncio
import json
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import pytest
from dependency_injector import providers
from dstack_backend.app.history.recorder import Recorder
from dstack_backend.app.history.unwritten import Unwritten
from dstack_backend.app.history.writer import HistoryWriter
from hypothesis import given
from hypothesis import strategies as st
from litestar import Litestar
from litestar.testing import TestClient

from dstack_backend.adapters.httpx_dstack import ConnectionWatcher, HttpxDStack
from dstack_backend.adapters.httpx_dstack.decode import decode_listing
from dstack_backend.adapters.litestar_http import HealthApp
from dstack_backend.adapters.prometheus_metrics import PrometheusMetrics
from dstack_backend.app.config.settings import load
from dstack_backend.app.container import Container
from dstack_backend.app.embed import embed
from dstack_backend.app.monitoring.monitor import Monitor
from dstack_backend.app.monitoring.wakeup import NullWatcher
from dstack_backend.domain import CheckResult, GpuInventory, NodeIdentity
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

KEY = "79be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798"


def container_of(**others: object) -> Container:
    """A container with other objects in the place of some providers'."""
    container = Container(settings=load({"HISTORY": "off"}, {}))
    for name, other in others.items():
        provider: Any = container.providers[name]  # its type leaves open what it provides
        provider.override(providers.Object(other))
    return container


def recorder() -> Recorder:
    """One that writes nowhere but into memory."""
    unwritten = Unwritten()
    writer = HistoryWriter(FakeHistoryStore, unwritten, timedelta(days=1))
    return Recorder(writer, unwritten, FakeClock())


@asynccontextmanager
async def no_lifespan(_: Litestar) -> AsyncGenerator[None, None]:
    """Nothing lives while the application does."""
    yield


def face(health: FakeHealth) -> HealthApp:
    """One that knows what somebody says."""
    return HealthApp(health, PrometheusMetrics().render, no_lifespan)


MADE: dict[str, Callable[[], object]] = {
    "settings": lambda: load({"CHECK_INTERVAL": "7", "HISTORY": "off"}, {}),
    "identity": lambda: NodeIdentity(topic="mine"),
    "clock": FakeClock,
    "dstack": FakeGpuSource,
    "watcher": FakeWatcher,
    "log": RecordingObserver,
    "metrics": PrometheusMetrics,
    "open_history": lambda: FakeHistoryStore,
    "unwritten": Unwritten,
    "history_writer": lambda: HistoryWriter(FakeHistoryStore, Unwritten(), timedelta(days=1)),
    "recorder": recorder,
    "past": lambda: FakeHistory([], EPOCH),
    "news": FakeNotifier,
    "more_observers": lambda: (RecordingObserver(),),
    "observers": lambda: [RecordingObserver()],
    "monitor": FakeHealth,
    "lifespan": lambda: no_lifespan,
    "http_app": lambda: face(FakeHealth()),
}
"""What a test puts in the place of each provider."""


def test_every_provider_has_a_replacement_here() -> None:
    """One that is added is tried below as well."""
    assert set(Container.providers) == set(MADE)


@pytest.mark.parametrize("name", MADE)
def test_each_provider_can_be_overridden(name: str, caplog: pytest.LogCaptureFixture) -> None:
    """What is put in its place is what everybody gets, and the whole answers with it."""
    replacement = MADE[name]()
    others = {"dstack": FakeGpuSource(), "watcher": FakeWatcher()} | {name: replacement}
    if name == "monitor":  # who brings his own knowledge of the node checks by himself
        others["lifespan"] = no_lifespan
    container = container_of(**others)
    assert container.providers[name]() is replacement
    with TestClient(container.http_app()) as client:
        for path in ("/health", "/status", "/metrics", "/history", "/uptime", "/"):
            assert client.get(path).status_code in {200, 503}
        assert "version" in client.get("/health").json()
    assert [each.message for each in caplog.records if each.levelname == "ERROR"] == []


def test_another_source_keeps_what_the_operator_says_of_the_node() -> None:
    """Topic and name are the backend's; keys and address are the settings'; observers are told."""
    seen = RecordingObserver()
    settings = load({"HISTORY": "off", "PUBKEYS": KEY, "ADVERTISED_IP": "203.0.113.7"}, {})
    container = embed(FakeGpuSource(), settings, topic="mine", name="sysfs", observers=[seen])
    with TestClient(container.http_app()) as client:
        while not client.get("/readyz").json()["ready"]:
            pass
        info = client.get("/health").json()
        page = client.get("/", headers={"Accept": "text/html"}).text
    assert (info["topic"], info["pubkeys"], info["ip_address"]) == ("mine", [KEY], "203.0.113.7")
    assert "sysfs is online and lists no GPUs." in page
    assert "cvm.gpu" not in page, "what to do is known of DStack only"
    assert len(seen.changes) == 1
    assert isinstance(container.watcher(), NullWatcher)


def test_without_overrides_it_builds_the_real_ones_and_each_only_once() -> None:
    """Nothing is opened by building them."""
    container = container_of()
    assert isinstance(container.dstack(), HttpxDStack)
    assert isinstance(container.watcher(), ConnectionWatcher)
    assert isinstance(container.monitor(), Monitor)
    assert isinstance(container.http_app(), HealthApp)
    for name in ("clock", "dstack", "watcher", "log", "metrics", "monitor", "http_app"):
        assert container.providers[name]() is container.providers[name]()


def test_two_containers_share_nothing() -> None:
    """An override in one leaves the other alone."""
    one, other = container_of(dstack=FakeGpuSource()), container_of()
    assert isinstance(one.dstack(), FakeGpuSource)
    assert isinstance(other.dstack(), HttpxDStack)


def test_the_monitor_gets_what_the_container_has() -> None:
    """DStack, clock, observers and identity of the container are at work."""
    dstack, clock, log = FakeGpuSource([GpuInventory()]), FakeClock(), RecordingObserver()
    container = container_of(
        dstack=dstack, clock=clock, log=log, identity=NodeIdentity(topic="mine", pubkeys=("k",))
    )
    asyncio.run(container.monitor().check())
    assert dstack.calls == 1
    assert [check.finished.monotonic for check in log.checks] == [clock.monotonic()]
    assert len(log.changes) == 1
    info = json.loads(container.monitor().answer().body)
    assert (info["topic"], info["pubkeys"]) == ("mine", ["k"])
    page = container.metrics().render(container.monitor().report()).decode()
    assert 'dstack_backend_checks_total{reason="",result="success"} 1.0' in page


def test_the_application_checks_as_long_as_it_lives() -> None:
    """Its lifespan begins the first check at once and leaves no call open at its end."""
    dstack = FakeGpuSource()
    dstack.hang()
    face = container_of(dstack=dstack, watcher=FakeWatcher()).http_app()
    with TestClient(face) as client:
        assert client.get("/health").json()["metadata"] == "Starting: no check has finished yet"
        assert (dstack.calls, dstack.under_way) == (1, 1)
    assert (dstack.cancelled, dstack.under_way) == (1, 0)


def test_what_a_check_brings_becomes_the_past() -> None:
    """The application writes its changes while it lives, and answers them."""
    clock = FakeClock()
    face = container_of(dstack=FakeGpuSource(), watcher=FakeWatcher(), clock=clock).http_app()
    with TestClient(face) as client:
        entries: list[dict[str, object]] = []
        while not entries:
            entries = client.get("/history").json()["entries"]
    assert [(entry["before"], entry["after"]) for entry in entries] == [(None, "available")]


class Stack:
    """The whole of it but for DStack and time: what a check brings, read back over HTTP."""

    def __init__(self) -> None:
        self.result: CheckResult = GpuInventory()
        self._container = container_of(
            dstack=FakeGpuSource(lambda: self.result), clock=FakeClock(), log=RecordingObserver()
        )
        self._client = TestClient(self._container.http_app())

    def check(self, result: CheckResult) -> None:
        """Let a check bring this."""
        self.result = result
        asyncio.run(self._container.monitor().check())

    def get(self, path: str) -> Any:
        """Ask, and see that status and body agree."""
        response = self._client.get(path)
        body = response.json()
        if path == "/health":
            assert response.status_code == (200 if body["status"] == "available" else 503)
        return body


@pytest.fixture(scope="module")
def stack() -> Stack:
    """One stack: each check makes all of its state new."""
    return Stack()


@given(pair=listing_bodies())
def test_any_good_answer_of_dstack_arrives_at_the_worker(
    stack: Stack, pair: tuple[GpuInventory, bytes]
) -> None:
    """From DStack's bytes to those of `/health` no GPU and no text is lost."""
    inventory, body = pair
    stack.check(decode_listing(body))
    info = stack.get("/health")
    gpus = json.loads(info["metadata"])["gpus"]
    assert info["status"] == "available"
    assert [gpu["description"] for gpu in gpus] == [gpu.description for gpu in inventory.gpus]


@given(body=hostile_bodies())
def test_whatever_bytes_dstack_answers_health_stays_well_formed(stack: Stack, body: bytes) -> None:
    """Five fields in their order, and metadata that is JSON or one printable sentence."""
    stack.check(decode_listing(body))
    info = stack.get("/health")
    assert list(info) == ["version", "topic", "pubkeys", "status", "metadata"]
    if info["status"] == "available":
        assert json.loads(info["metadata"])["gpu_count"] >= 0
    else:
        assert info["metadata"].startswith("Parse error: ")
        assert info["metadata"].isprintable()


@given(results=st.lists(check_results(), min_size=1, max_size=3))
def test_all_endpoints_tell_the_same(stack: Stack, results: list[CheckResult]) -> None:
    """Worker, people and service information read one status, after any checks."""
    for result in results:
        stack.check(result)
    health, status, root = stack.get("/health"), stack.get("/status"), stack.get("/")
    assert health["status"] == status["status"] == root["status"]
    assert status["reason"] == root["reason"]
    if health["status"] == "available":
        assert json.loads(health["metadata"]) == status["inventory"]
    else:
        assert health["metadata"] == status["detail"]
