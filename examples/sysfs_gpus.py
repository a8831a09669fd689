"""A backend without DStack: it reads the host's NVIDIA cards from sysfs.

    granian --interface asgi --factory --port 8080 --working-dir examples sysfs_gpus:create_app

A card is free while no driver has enabled it (file `enable`): vfio-pci does so when a virtual
machine opens it, NVIDIA's driver when it binds. Unlike lspci, this does not wake sleeping cards.
"""

import asyncio
import os
from pathlib import Path

from dstack_backend.adapters.litestar_http import HealthApp
from dstack_backend.app.config.settings import load
from dstack_backend.app.embed import embed
from dstack_backend.domain import CheckFailure, CheckResult, Gpu, GpuInventory, Reason

NVIDIA, DISPLAY = "0x10de", "0x03"


class SysfsGpus:
    """The NVIDIA display controllers in a folder such as `/sys/bus/pci/devices`."""

    def __init__(self, devices: Path) -> None:
        self._devices = devices

    async def list_gpus(self) -> CheckResult:
        """Read the folder."""
        try:
            return await asyncio.to_thread(self._read)
        except OSError:  # there is no such folder, or a card was removed during the read
            return CheckFailure(Reason.CONNECTION_FAILED, "the PCI devices cannot be read")

    def _read(self) -> GpuInventory:
        devices = sorted(self._devices.iterdir())
        return GpuInventory(gpus=tuple(_gpu(device) for device in devices if _is_gpu(device)))


def _is_gpu(device: Path) -> bool:
    if (device / "physfn").is_symlink():  # an SR-IOV virtual function of a card, not a card
        return False
    return _text(device / "vendor") == NVIDIA and _text(device / "class").startswith(DISPLAY)


def _gpu(device: Path) -> Gpu:
    product_id = f"{NVIDIA}:{_text(device / 'device')}".replace("0x", "")
    is_free = _text(device / "enable") == "0"
    return Gpu(slot=device.name, product_id=product_id, description="NVIDIA", is_free=is_free)


def _text(file: Path) -> str:
    return file.read_text(encoding="ascii", errors="replace").strip()


def create_app() -> HealthApp:
    """Return the service."""
    gpus = SysfsGpus(Path(os.environ.get("PCI_DEVICES", "/sys/bus/pci/devices")))
    settings = load({"DATA_DIR": "./sysfs-data", **os.environ}, {})
    return embed(gpus, settings, topic="sysfs-gpu-monitor", name="sysfs").http_app()
