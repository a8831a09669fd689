"""The check of the inventory: GPUs only, at least one, each of a known model."""

import re
from collections import Counter
from collections.abc import Sequence

from dstack_backend.app.doctor.finding import Finding, Step, ok, sanitize, warning
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
    gpus = inventory.gpus
    if not gpus:
        text = "DStack is online and lists no GPU; the status is available"
        return warning(Step.INVENTORY, text, *_EMPTY_REMEDIES)
    switches = [gpu for gpu in gpus if gpu.product_id.lower() in NVSWITCHES]
    unknown = [gpu for gpu in gpus if gpu not in switches and gpu.model is None]
    texts, remedies = [_summary(inventory)], list[str]()
    if switches:
        texts.append(f"{len(switches)} of them NVSwitches ({_ids(switches)}), which are no GPUs")
        remedies.append(f"remove {_ids(switches)} from listing in [cvm.gpu] of DStack's vmm.toml")
    if unknown:
        texts.append(f"{len(unknown)} of an unknown model ({_ids(unknown)})")
        remedies.append("update-pciids on DStack's host, or report the product ids as an issue")
    text = "; ".join(texts)
    return warning(Step.INVENTORY, text, *remedies) if remedies else ok(Step.INVENTORY, text)


def _summary(inventory: GpuInventory) -> str:
    models = Counter(sanitize(gpu.model) for gpu in inventory.gpus if gpu.model)
    shown = ", ".join(f"{count} x {model}" for model, count in models.most_common(MAX_SHOWN))
    return f"{inventory.summary}: {shown}" if shown else inventory.summary


def _ids(gpus: Sequence[Gpu]) -> str:
    ids = {gpu.product_id.lower(): None for gpu in gpus}
    valid = [each for each in ids if _PRODUCT_ID.fullmatch(each)]
    texts, invalid = valid[:MAX_SHOWN], len(ids) - len(valid)
    if len(valid) > MAX_SHOWN:
        texts.append(f"{len(valid) - MAX_SHOWN} more")
    if invalid:
        texts.append(f"{invalid} that {'is' if invalid == 1 else 'are'} not a product id")
    return ", ".join(texts)
