"""The backends in `examples/` keep the kit's contracts, each in less than 60 lines."""

import asyncio
import http.client
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Generator, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from dstack_backend.domain import BackendInfo, CheckFailure, Gpu, GpuInventory, GpuSource, Status
from dstack_backend.testing.contracts import GpuHealthContract, GpuSourceContract, check_answer
from examples.sysfs_gpus import SysfsGpus
from tests.contract.process.service import free_port, wait_until

EXAMPLES = Path(__file__).parents[3] / "examples"

H200 = {"vendor": "0x10de", "device": "0x2335", "class": "0x030200"}
AUDIO = {"vendor": "0x10de", "device": "0x10f0", "class": "0x040300"}
NVSWITCH = {"vendor": "0x10de", "device": "0x22a3", "class": "0x068000"}
OTHER_GPU = {"vendor": "0x1002", "device": "0x74a1", "class": "0x038000"}

LISTING = {
    "gpus": [{"slot": "3b:00.0", "product_id": "10de:26b9", "description": "", "is_free": True}]
}


def _plug(devices: Path, slot: str, kind: dict[str, str], enable: int = 0) -> None:
    """Put a device into a folder as the kernel shows it."""
    (devices / slot).mkdir(parents=True)
    for name, value in {**kind, "enable": str(enable)}.items():
        (devices / slot / name).write_text(f"{value}\n")


@contextmanager
def _running(port: int, *command: str, **env: str) -> Generator[str]:
    """Run a server that listens on a port; give the address of its `/health`."""
    environment = {"PATH": os.environ["PATH"], "HISTORY": "off", **env}
    server = subprocess.Popen(
        [sys.executable, *command],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    try:
        wait_until(lambda: _listens(port) or server.poll() is not None, 20.0)
        assert server.poll() is None, server.communicate()[0].decode()
        yield f"http://127.0.0.1:{port}/health"
    finally:
        server.terminate()
        server.communicate(timeout=10)


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _health(url: str) -> BackendInfo:
    with closing(http.client.HTTPConnection(urlsplit(url).netloc, timeout=5)) as connection:
        connection.request("GET", urlsplit(url).path)
        answer = connection.getresponse()
        return check_answer(answer.status, answer.read())


def _wait_for(status: Status, url: str) -> BackendInfo:
    wait_until(lambda: _health(url).status is status, 15.0)
    return _health(url)


@contextmanager
def _sysfs_backend(devices: Path) -> Generator[str]:
    port = free_port()
    options = ("--interface", "asgi", "--factory", "--port", str(port), "--working-dir", EXAMPLES)
    command = ("-m", "granian", *map(str, options), "sysfs_gpus:create_app")
    with _running(port, *command, PCI_DEVICES=str(devices), CHECK_INTERVAL="0.2") as url:
        yield url


@contextmanager
def _werkzeug_backend(file: Path) -> Generator[str]:
    port = free_port()
    command = (str(EXAMPLES / "domain_in_werkzeug.py"), str(file), str(port))
    with _running(port, *command) as url:
        yield url


@pytest.mark.parametrize("name", ["sysfs_gpus.py", "domain_in_werkzeug.py"])
def test_an_example_has_less_than_60_lines(name: str) -> None:
    """The issue's measure of what a backend may cost its author."""
    assert len((EXAMPLES / name).read_text().splitlines()) < 60


def test_sysfs_gpus_are_the_nvidia_display_controllers_in_the_order_of_their_slots(
    tmp_path: Path,
) -> None:
    """Sound functions, switches and others' cards are none; a card that is enabled is in use."""
    _plug(tmp_path, "0000:9b:00.0", H200, enable=1)
    _plug(tmp_path, "0000:3b:00.0", H200)
    _plug(tmp_path, "0000:3b:00.1", AUDIO)
    _plug(tmp_path, "0000:05:00.0", NVSWITCH)
    _plug(tmp_path, "0000:c1:00.0", OTHER_GPU)
    free, used = (
        Gpu(slot=slot, product_id="10de:2335", description="NVIDIA", is_free=is_free)
        for slot, is_free in (("0000:3b:00.0", True), ("0000:9b:00.0", False))
    )
    assert asyncio.run(SysfsGpus(tmp_path).list_gpus()) == GpuInventory(gpus=(free, used))


def test_this_machine_s_own_sysfs_can_be_read() -> None:
    """Whatever devices it has: the files are there and have the form that is expected."""
    devices = Path("/sys/bus/pci/devices")
    expected = GpuInventory if devices.is_dir() else CheckFailure
    assert isinstance(asyncio.run(SysfsGpus(devices).list_gpus()), expected)


class TestSysfsGpus(GpuSourceContract):
    """The source that reads sysfs, with two cards."""

    deadline = 1.0

    @pytest.fixture(autouse=True)
    def _cards(self, tmp_path: Path) -> None:
        self.devices = tmp_path
        _plug(tmp_path, "0000:3b:00.0", H200)
        _plug(tmp_path, "0000:9b:00.0", H200, enable=1)

    def source(self) -> GpuSource:
        """Read the folder."""
        return SysfsGpus(self.devices)


class TestSysfsGpusWithoutSysfs(GpuSourceContract):
    """The same on a machine that has no such folder."""

    deadline = 1.0

    def source(self) -> GpuSource:
        """Read what is not there."""
        return SysfsGpus(Path("/nowhere/devices"))


class TestRunningSysfsBackend(GpuHealthContract):
    """The backend of sysfs under granian, with one card."""

    @pytest.fixture(autouse=True, scope="class")
    @classmethod
    def _run(cls, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
        devices = tmp_path_factory.mktemp("devices")
        _plug(devices, "0000:3b:00.0", H200)
        with _sysfs_backend(devices) as cls.running:
            _wait_for(Status.AVAILABLE, cls.running)
            yield

    running: str

    def url(self) -> str:
        """Give where it runs."""
        return self.running


class TestRunningWerkzeugBackend(GpuHealthContract):
    """The domain in werkzeug, with one GPU in its file."""

    running: str

    @pytest.fixture(autouse=True, scope="class")
    @classmethod
    def _run(cls, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
        file = tmp_path_factory.mktemp("inventory") / "gpus.json"
        file.write_text(json.dumps(LISTING))
        with _werkzeug_backend(file) as cls.running:
            _wait_for(Status.AVAILABLE, cls.running)
            yield

    def url(self) -> str:
        """Give where it runs."""
        return self.running


class TestRunningWerkzeugBackendWithoutFile(GpuHealthContract):
    """The domain in werkzeug, with nothing to read."""

    running: str

    @pytest.fixture(autouse=True, scope="class")
    @classmethod
    def _run(cls, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
        with _werkzeug_backend(tmp_path_factory.mktemp("none") / "gpus.json") as cls.running:
            yield

    def url(self) -> str:
        """Give where it runs."""
        return self.running


def test_the_sysfs_backend_has_its_own_topic_and_follows_the_cards(tmp_path: Path) -> None:
    """A card that a machine opens is not free any more; without the folder there is no node."""
    devices = tmp_path / "devices"
    _plug(devices, "0000:3b:00.0", H200)
    with _sysfs_backend(devices) as url:
        info = _wait_for(Status.AVAILABLE, url)
        assert info.topic == "sysfs-gpu-monitor"
        assert json.loads(info.metadata)["gpus"][0]["model"] == "H200 SXM 141GB"
        assert json.loads(info.metadata)["free_gpu_count"] == 1
        (devices / "0000:3b:00.0" / "enable").write_text("1\n")
        wait_until(lambda: json.loads(_health(url).metadata)["free_gpu_count"] == 0)
        devices.rename(tmp_path / "away")
        info = _wait_for(Status.UNAVAILABLE, url)
        assert info.metadata == "Connection error: the PCI devices cannot be read"


def test_the_werkzeug_backend_has_its_own_topic_and_recovers(tmp_path: Path) -> None:
    """A file that is torn, or that nobody writes any more, is a failure; a new one is not."""
    file = tmp_path / "gpus.json"
    file.write_text('{"gpus": [')
    with _werkzeug_backend(file) as url:
        info = _wait_for(Status.UNAVAILABLE, url)
        wait_until(lambda: _health(url).metadata == "Parse error: the file is not as expected")
        file.write_text(json.dumps(LISTING))
        long_ago = time.time() - 3600
        os.utime(file, (long_ago, long_ago))
        wait_until(lambda: _health(url).metadata.endswith("nobody writes the file any more"))
        file.write_text(json.dumps(LISTING))
        info = _wait_for(Status.AVAILABLE, url)
        assert info.topic == "file-gpu-monitor"
        assert json.loads(info.metadata)["gpus"][0]["model"] == "L40S"
