"""The examples as running services keep the contract of `/health`."""

import json
import os
import time
from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import msgspec
import pytest

from dstack_backend.domain import Status
from dstack_backend.testing.contracts import GpuHealthContract, HealthContract
from tests.contract.kit.examples.backend_process import (
    EXAMPLES,
    health,
    running,
    running_asgi,
    wait_for,
)
from tests.contract.kit.examples.sysfs import H200, plug
from tests.contract.process.service import free_port, wait_until

LISTING = {
    "gpus": [{"slot": "3b:00.0", "product_id": "10de:26b9", "description": "", "is_free": True}]
}


@contextmanager
def _werkzeug_backend(file: Path) -> Generator[str]:
    port = free_port()
    with running(port, str(EXAMPLES / "domain_in_werkzeug.py"), str(file), str(port)) as url:
        yield url


class Running:
    """The address of a service that runs as long as the test class."""

    running: str

    def url(self) -> str:
        """Return the address of its `/health`."""
        return self.running


class TestSysfsBackend(Running, GpuHealthContract):
    """One card in sysfs, under granian."""

    @pytest.fixture(autouse=True, scope="class")
    @classmethod
    def _run(cls, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
        devices = tmp_path_factory.mktemp("devices")
        plug(devices, "0000:3b:00.0", H200)
        with running_asgi("sysfs_gpus:create_app", PCI_DEVICES=str(devices)) as cls.running:
            wait_for(Status.AVAILABLE, cls.running)
            yield


class TestStorageNode(Running, HealthContract):
    """Two volumes, under granian. Its metadata are its own."""

    @pytest.fixture(autouse=True, scope="class")
    @classmethod
    def _run(cls, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
        root = tmp_path_factory.mktemp("volumes")
        (root / "a").mkdir()
        (root / "b").mkdir()
        with running_asgi("storage_node:create_app", VOLUMES=str(root)) as cls.running:
            wait_for(Status.AVAILABLE, cls.running)
            yield

    def check_metadata(self, metadata: Mapping[str, object]) -> None:
        """Assert that the metadata are the struct of the example."""
        assert list(metadata) == ["free_bytes"]
        assert list(msgspec.convert(metadata["free_bytes"], dict[str, int])) == ["a", "b"]


class TestWerkzeugBackend(Running, GpuHealthContract):
    """The domain in werkzeug, with one GPU in its file."""

    @pytest.fixture(autouse=True, scope="class")
    @classmethod
    def _run(cls, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
        file = tmp_path_factory.mktemp("inventory") / "gpus.json"
        file.write_text(json.dumps(LISTING))
        with _werkzeug_backend(file) as cls.running:
            wait_for(Status.AVAILABLE, cls.running)
            yield


class TestWerkzeugBackendWithoutFile(Running, GpuHealthContract):
    """The domain in werkzeug, without its file."""

    @pytest.fixture(autouse=True, scope="class")
    @classmethod
    def _run(cls, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
        with _werkzeug_backend(tmp_path_factory.mktemp("none") / "gpus.json") as cls.running:
            yield


def test_sysfs_backend_follows_the_cards(tmp_path: Path) -> None:
    """A card that is opened is not free; without the folder the node is unavailable."""
    devices = tmp_path / "devices"
    plug(devices, "0000:3b:00.0", H200)
    with running_asgi("sysfs_gpus:create_app", PCI_DEVICES=str(devices)) as url:
        info = wait_for(Status.AVAILABLE, url)
        assert info.topic == "sysfs-gpu-monitor"
        assert json.loads(info.metadata)["gpus"][0]["model"] == "H200 SXM 141GB"
        assert json.loads(info.metadata)["free_gpu_count"] == 1
        (devices / "0000:3b:00.0" / "enable").write_text("1\n")
        wait_until(lambda: json.loads(health(url).metadata)["free_gpu_count"] == 0)
        devices.rename(tmp_path / "away")
        info = wait_for(Status.UNAVAILABLE, url)
        assert info.metadata == "Connection error: the PCI devices cannot be read"


def test_werkzeug_backend_follows_its_file(tmp_path: Path) -> None:
    """A truncated file and an old one are failures; a new one is an inventory."""
    file = tmp_path / "gpus.json"
    file.write_text('{"gpus": [')
    with _werkzeug_backend(file) as url:
        info = wait_for(Status.UNAVAILABLE, url)
        wait_until(lambda: health(url).metadata == "Parse error: the file is not as expected")
        file.write_text(json.dumps(LISTING))
        long_ago = time.time() - 3600
        os.utime(file, (long_ago, long_ago))
        wait_until(lambda: health(url).metadata.endswith("the file is not written any more"))
        file.write_text(json.dumps(LISTING))
        info = wait_for(Status.AVAILABLE, url)
        assert info.topic == "file-gpu-monitor"
        assert json.loads(info.metadata)["gpus"][0]["model"] == "L40S"
