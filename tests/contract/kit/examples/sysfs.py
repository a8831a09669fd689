"""PCI devices in a folder, as the kernel shows them in sysfs."""

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

__all__ = ["H200", "plug"]

H200: Mapping[str, str] = MappingProxyType(
    {"vendor": "0x10de", "device": "0x2335", "class": "0x030200"}
)


def plug(devices: Path, slot: str, kind: Mapping[str, str], enable: int = 0) -> None:
    """Create the folder of a device."""
    (devices / slot).mkdir(parents=True)
    for name, value in {**kind, "enable": str(enable)}.items():
        (devices / slot / name).write_text(f"{value}\n")
