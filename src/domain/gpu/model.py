"""The marketing name of a GPU, from its product id or else from its description.

The table has precedence: where the host's PCI id list is older than the card (Debian 12's does
not contain the H200), lspci prints no model, and the description is just `NVIDIA Corporation`.
Where the sources of a name differ, the table has the coarser one.

Sources: the PCI ID Repository of 24 October 2026, and the device lists of NVIDIA's driver and admin
tools.
"""

import re

__all__ = ["KNOWN_MODELS", "is_gpu", "is_pci_address", "model_of"]

NVIDIA = "10de"

_NVSWITCHES = frozenset({"10de:22a3", "10de:1af1"})
"""NVSwitches of H100 and A100 boards: DStack lists them where its `listing` names them."""

_NVIDIA_MODELS = {
    "20b0": "A100 SXM4 40GB",
    "20b1": "A100 PCIe 40GB",
    "20b2": "A100 SXM4 80GB",
    "20b3": "A100 SXM 64GB",
    "20b5": "A100 PCIe 80GB",
    "20b7": "A30",
    "20b8": "A100X",
    "20b9": "A30X",
    "20bd": "A800 SXM4 40GB",
    "20f1": "A100 PCIe 40GB",
    "20f3": "A800 SXM4 80GB",
    "20f5": "A800 PCIe 80GB",
    "20f6": "A800",
    "2235": "A40",
    "2236": "A10",
    "2237": "A10G",
    "230e": "H20",
    "2313": "H100 CNX",
    "2321": "H100 NVL",
    "2322": "H800",
    "2324": "H800",
    "2328": "H20",
    "2329": "H20",
    "232c": "H20",
    "2330": "H100 SXM5 80GB",
    "2331": "H100 PCIe",
    "2335": "H200 SXM 141GB",
    "2336": "H100",
    "2337": "H100 SXM5",
    "2338": "H100",
    "2339": "H100",
    "233a": "H800",
    "233b": "H200 NVL",
    "233d": "H100",
    "2342": "GH200",
    "2343": "GH200",
    "2345": "GH200",
    "2348": "GH200",
    "25b6": "A2 / A16",
    "26b5": "L40",
    "26b7": "L20",
    "26b8": "L40G",
    "26b9": "L40S",
    "26ba": "L20",
    "27b6": "L2",
    "27b7": "L16",
    "27b8": "L4",
    "2901": "B200",
    "2909": "B200",
    "290a": "B200",
    "2941": "GB200",
    "2bb5": "RTX PRO 6000 Blackwell Server Edition",
    "3182": "B300",
    "31c2": "GB300",
    "31c3": "GB300",
}

# The last brackets in the names of vendors, for example `Advanced Micro Devices, Inc. [AMD/ATI]`.
# It is the whole description of a card that the host's PCI id list does not contain.
_VENDOR_ALIASES = {
    *("ALI", "AMD", "AMD/ATI", "FIC", "Freescale", "HTL", "Lucky Goldstar Co. Ltd"),
    *("MSI", "MXIC", "SMC", "SiS", "UMC"),
}

_MAX_NAME_LENGTH = 64

# `NVIDIA Corporation GH100 [H200 SXM 141GB] (rev a1)`: the name is in the last brackets, at the
# end. `[10de:2335]` is an id. No two adjacent parts of the pattern match the same characters, or
# a long hostile text would take quadratic time.
_BRACKETED_NAME = re.compile(r"\[([^\[\]]+)\]\s*(?:\(rev [0-9a-f]+\)\s*)?\Z", re.IGNORECASE)
_PCI_ID = re.compile(r"[0-9a-f]{4}(:[0-9a-f]{4})?", re.IGNORECASE)
_PCI_ADDRESS = re.compile(r"([0-9a-f]{4,8}:)?[0-9a-f]{2}:[01][0-9a-f]\.[0-7]", re.IGNORECASE)

KNOWN_MODELS = frozenset(_NVIDIA_MODELS.values())
"""All names of the table: a bounded set, whatever the source sends."""


def is_gpu(product_id: str) -> bool:
    """Return whether a device is a GPU, as far as is known. An NVSwitch is not."""
    return product_id.lower() not in _NVSWITCHES


def is_pci_address(slot: str) -> bool:
    """Return whether a slot is a PCI address as lspci prints it: `3b:00.0`, `0000:3b:00.0`."""
    return _PCI_ADDRESS.fullmatch(slot) is not None


def model_of(product_id: str, description: str) -> str | None:
    """Return the marketing name (`H200 SXM 141GB`); `None` where it is not known.

    Args:
        product_id: PCI vendor and device: `10de:2335`.
        description: Vendor and device as lspci prints them.
    """
    vendor, _, device = product_id.lower().partition(":")
    known = _NVIDIA_MODELS.get(device) if vendor == NVIDIA else None
    return known or _bracketed_name(description)


def _bracketed_name(description: str) -> str | None:
    match = _BRACKETED_NAME.search(description)
    if match is None:
        return None
    name = match[1].strip()
    usable = name.isprintable() and 0 < len(name) <= _MAX_NAME_LENGTH
    is_name = name not in _VENDOR_ALIASES and not _PCI_ID.fullmatch(name)
    return name if usable and is_name else None
