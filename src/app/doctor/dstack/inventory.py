"""The check of the inventory: GPUs only, at least one, each of a known model."""

import re
from collections import Counter
from collections.abc import Iterable

from dstack_backend.app.doctor.finding import Finding, Step, join_some, sanitize
from dstack_backend.domain.gpu import Gpu, GpuInventory

__all__ = ["check_inventory"]

NVSWITCHES = {"10de:22a3", "10de:1af1"}
MAX_SHOWN = 8

# Nothing else that DStack sends as an id is shown.
_PRODUCT_ID = re.compile(r"[0-9a-f]{4}:[0-9a-f]{4}")

_EMPTY_REMEDIES = (
    "in DStack's vmm.toml, under [cvm.gpu], enabled must be true",
    "listing there must contain the cards' product ids; include and exclude must let them through",
    "show the cards: lspci -nn | grep -i nvidia, as DStack's user on its host",
)


def check_inventory(inventory: GpuInventory) -> Finding:
    """Return the models of the GPUs, and what is unexpected about them."""
    if inventory.is_empty:
        text = "DStack is online and lists no GPU; the status is available"
        return Step.INVENTORY.warning(text, *_EMPTY_REMEDIES)
    models = Counter(sanitize(gpu.model) for gpu in inventory.gpus if gpu.model)
    shown = ", ".join(f"{count} x {model}" for model, count in models.most_common(MAX_SHOWN))
    text, remedies = f"{inventory.summary}: {shown}" if shown else inventory.summary, list[str]()
    switches = [gpu for gpu in inventory.gpus if gpu.product_id.lower() in NVSWITCHES]
    if switches:
        text += f"; {len(switches)} of them NVSwitches ({_ids(switches)}), which are no GPUs"
        remedies.append(f"remove {_ids(switches)} from listing in [cvm.gpu] of DStack's vmm.toml")
    unknown = [gpu for gpu in inventory.gpus if gpu not in switches and gpu.model is None]
    if unknown:
        text += f"; {len(unknown)} of an unknown model ({_ids(unknown)})"
        remedies.append("update-pciids on DStack's host, or report the product ids as an issue")
    return Step.INVENTORY.warning(text, *remedies) if remedies else Step.INVENTORY.ok(text)


def _ids(gpus: Iterable[Gpu]) -> str:
    ids = dict.fromkeys(gpu.product_id.lower() for gpu in gpus)
    valid = [each for each in ids if _PRODUCT_ID.fullmatch(each)]
    texts = [join_some(valid, MAX_SHOWN)] if valid else []
    if invalid := len(ids) - len(valid):
        texts.append(f"{invalid} that {'is' if invalid == 1 else 'are'} not a product id")
    return ", ".join(texts)
