"""`embed`: a service around another source, and the arguments that it refuses."""

import asyncio
import json
from typing import Any

import pytest
from litestar.testing import TestClient
from msgspec import Struct

from dstack_backend.app.config.settings import load
from dstack_backend.app.embed import embed
from dstack_backend.app.monitoring.wakeup import NullWatcher
from dstack_backend.domain import CheckResult, Gpu, GpuInventory, GpuInventoryMetadata, Reason
from dstack_backend.testing.fakes import FakeGpuSource, FakeWatcher, RecordingObserver

KEY = "79be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798"
SETTINGS = load({"HISTORY": "off"}, {})


def health_of(source: FakeGpuSource, **environ: str) -> dict[str, Any]:
    """Return `/health` of an embedded source after its first check."""
    settings = load({"HISTORY": "off", **environ}, {})
    container = embed(source, settings, topic="mine", name="sysfs")
    with TestClient(container.http_app()) as client:
        while not client.get("/readyz").json()["ready"]:
            pass
        info: dict[str, Any] = client.get("/health").json()
        return info


def test_health_has_the_topic_and_the_settings_of_the_operator() -> None:
    """Keys and address come from the settings."""
    info = health_of(FakeGpuSource(), PUBKEYS=KEY, ADVERTISED_IP="203.0.113.7")
    assert (info["topic"], info["pubkeys"], info["ip_address"]) == ("mine", [KEY], "203.0.113.7")


def test_dstack_settings_of_the_environment_are_not_read() -> None:
    """An invalid `DSTACK_URL` has no effect on another source."""
    environ = {"DSTACK_URL": "garbage", "DSTACK_TOKEN": "a b", "DSTACK_CA_FILE": "/nowhere"}
    assert health_of(FakeGpuSource(), **environ)["status"] == "available"


def test_page_names_the_source_and_not_dstack() -> None:
    """The instructions for DStack are not shown."""
    container = embed(FakeGpuSource(), SETTINGS, topic="mine", name="sysfs")
    with TestClient(container.http_app()) as client:
        while not client.get("/readyz").json()["ready"]:
            pass
        page = client.get("/", headers={"Accept": "text/html"}).text
    assert "sysfs is online" in page
    assert "cvm.gpu" not in page


def test_messages_work_for_an_embedded_source() -> None:
    """They need no setting of DStack."""
    settings = load({"HISTORY": "off", "NOTIFY_URLS": "json://localhost"}, {})
    container = embed(FakeGpuSource(), settings, topic="mine", name="sysfs")
    assert container.notifications() in container.observers()


def test_observers_and_watcher_are_used() -> None:
    """Without a watcher there are no hints."""
    seen, watcher = RecordingObserver(), FakeWatcher()
    container = embed(
        FakeGpuSource(), SETTINGS, topic="mine", name="sysfs", observers=[seen], watcher=watcher
    )
    with TestClient(container.http_app()) as client:
        while not client.get("/readyz").json()["ready"]:
            pass
    assert len(seen.changes) == 1
    used: object = container.watcher()
    assert used is watcher
    default = embed(FakeGpuSource(), SETTINGS, topic="mine", name="sysfs")
    assert isinstance(default.watcher(), NullWatcher)


def test_service_defaults_to_the_topic() -> None:
    """The name of the service can be set as well."""
    source = FakeGpuSource()
    default = embed(source, SETTINGS, topic="mine", name="sysfs").identity()
    named = embed(source, SETTINGS, topic="mine", name="sysfs", service="agent").identity()
    assert (default.topic, default.source, default.service) == ("mine", "sysfs", "mine")
    assert (named.topic, named.source, named.service) == ("mine", "sysfs", "agent")


class MoreMetadata(GpuInventoryMetadata, frozen=True, kw_only=True):
    """GPU metadata with a field more."""

    driver: str


class MoreInventory(GpuInventory, frozen=True, kw_only=True):
    """GPUs with their driver."""

    driver: str = "550.54.15"

    def metadata(self) -> MoreMetadata:
        """Return all fields and the driver."""
        base = super().metadata()
        return MoreMetadata(
            gpu_count=base.gpu_count,
            gpus=base.gpus,
            allow_attach_all=base.allow_attach_all,
            free_gpu_count=base.free_gpu_count,
            driver=self.driver,
        )


class DiskMetadata(Struct, frozen=True):
    """Metadata of another resource."""

    disks: int


class Disks(Struct, frozen=True):
    """An inventory of another resource."""

    is_empty: bool = False
    summary: str = "3 disks"
    source_version: str | None = None

    def metadata(self) -> DiskMetadata:
        """Return the number of disks."""
        return DiskMetadata(3)


def test_additional_metadata_reach_health() -> None:
    """A subclass of the GPU metadata keeps its fields."""
    metadata = json.loads(health_of(FakeGpuSource([MoreInventory()]))["metadata"])
    assert metadata == {
        "gpu_count": 0,
        "gpus": [],
        "allow_attach_all": False,
        "free_gpu_count": 0,
        "driver": "550.54.15",
    }


def test_own_metadata_reach_health() -> None:
    """The metadata may be any struct."""
    assert json.loads(health_of(FakeGpuSource([Disks()]))["metadata"]) == {"disks": 3}


def test_inventory_with_wrong_types_is_a_failure_and_logged_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Its properties raise; the checks go on."""
    gpu = Gpu(slot="3b:00.0", product_id="", description="", is_free="yes")  # type: ignore[arg-type] # pyright: ignore[reportArgumentType] - that is the fault
    source = FakeGpuSource([GpuInventory(gpus=(gpu,))])
    monitor = embed(source, SETTINGS, topic="mine", name="sysfs").monitor()
    for _ in range(2):
        asyncio.run(monitor.check())
    assert monitor.report().reason is Reason.INVALID_RESPONSE
    errors = [record.getMessage() for record in caplog.records if record.levelname == "ERROR"]
    assert errors == ["FakeGpuSource: list_gpus() or its inventory raised"]


class NoSource:
    """Has no `list_gpus`."""


class SynchronousSource:
    """Has a synchronous `list_gpus`."""

    def list_gpus(self) -> CheckResult:
        """Return no GPUs."""
        return GpuInventory()


class NoMethod:
    """Has an attribute `list_gpus` that is no method."""

    list_gpus = ()


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (NoSource(), "NoSource is not a source: it has no method list_gpus"),
        (NoMethod(), "NoMethod is not a source: it has no method list_gpus"),
        (None, "NoneType is not a source: it has no method list_gpus"),
        (FakeGpuSource, "source must be an instance, not the class FakeGpuSource"),
        (SynchronousSource(), "SynchronousSource.list_gpus must be async def"),
    ],
)
def test_invalid_source_is_refused(source: Any, message: str) -> None:
    """The error names what is wrong before anything is started."""
    with pytest.raises(TypeError) as failed:
        embed(source, SETTINGS, topic="mine", name="sysfs")
    assert str(failed.value) == message


@pytest.mark.parametrize("parameter", ["topic", "name", "service"])
@pytest.mark.parametrize("text", ["", "  "])
def test_empty_name_is_refused(parameter: str, text: str) -> None:
    """Topic, name and service need a text."""
    names: dict[str, Any] = {"topic": "mine", "name": "sysfs", "service": "agent", parameter: text}
    with pytest.raises(ValueError, match=f"{parameter} must not be empty"):
        embed(FakeGpuSource(), SETTINGS, **names)
