"""A backend for a host without DStack: it reads the host's NVIDIA cards from sysfs.

    granian --interface asgi --factory --port 8080 --working-dir examples sysfs_gpus:create_app

A card is free while no driver has enabled it (its file `enable` counts who did). vfio-pci enables a
card when a virtual machine opens it, and NVIDIA's driver when it binds to it: a card that is kept
for the host is in use. Reading these files, unlike lspci, does not wake a card that sleeps.
"""

import asyncio
import os
from pathlib import Path

from dependency_injector import providers

from dstack_backend.adapters.litestar_http import HttpFace
from dstack_backend.app.container import Container
from dstack_backend.app.settings import load
from dstack_backend.app.wakeup import Silence
from dstack_backend.domain import CheckFailure, CheckResult, Gpu, GpuInventory, Identity, Reason

NVIDIA, DISPLAY = "0x10de", "0x03"


class SysfsGpus:
    """The NVIDIA display controllers below a folder as `/sys/bus/pci/devices`."""

    def __init__(self, devices: Path) -> None:
        self._devices = devices

    async def list_gpus(self) -> CheckResult:
        try:
            return await asyncio.to_thread(self._read)
        except OSError:  # no PCI bus, or a card that went while it was read
            return CheckFailure(Reason.CONNECTION_FAILED, "the PCI devices cannot be read")

    def _read(self) -> GpuInventory:
        cards = (card for card in sorted(self._devices.iterdir()) if _is_nvidia_gpu(card))
        return GpuInventory(gpus=tuple(_gpu(card) for card in cards))


def _is_nvidia_gpu(card: Path) -> bool:
    return _text(card / "vendor") == NVIDIA and _text(card / "class").startswith(DISPLAY)


def _gpu(card: Path) -> Gpu:
    product_id = f"{NVIDIA}:{_text(card / 'device')}".replace("0x", "")
    is_free = _text(card / "enable") == "0"
    return Gpu(slot=card.name, product_id=product_id, description="NVIDIA", is_free=is_free)


def _text(file: Path) -> str:
    return file.read_text(encoding="ascii", errors="replace").strip()


def create_app() -> HttpFace:
    container = Container(settings=load(os.environ, {}))
    devices = Path(os.environ.get("PCI_DEVICES", "/sys/bus/pci/devices"))
    container.dstack.override(providers.Object(SysfsGpus(devices)))
    container.presence.override(providers.Factory(Silence))
    container.identity.override(providers.Object(Identity(topic="sysfs-gpu-monitor")))
    return container.http_face()
