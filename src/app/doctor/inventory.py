"""Whether the inventory is what an operator expects: not empty, GPUs only, known by name."""

import re
from collections import Counter

from dstack_backend.app.doctor.finding import Finding, Step, ok, sanitize, warning
from dstack_backend.domain.gpu import Gpu, GpuInventory

__all__ = ["check_inventory"]

NVSWITCHES = {"10de:22a3", "10de:1af1"}
MOST_SHOWN = 8

# Nothing else that DStack sends as an id is shown.
_PRODUCT_ID = re.compile(r"[0-9a-f]{4}:[0-9a-f]{4}")

EMPTY_CURES = (
    (
        "in DStack's vmm.toml, under [cvm.gpu]: enabled must be true, and listing must hold the"
        " product ids of the cards (by default 10de:2335 alone)"
    ),
    "include and exclude there must let the cards through",
    "which cards there are: lspci -nn | grep -i nvidia, as DStack's user on its host",
)


def check_inventory(inventory: GpuInventory) -> Finding:
    """Say which GPUs there are, and what is odd about them."""
    gpus = inventory.gpus
    if not gpus:
        text = "DStack is online and lists no GPU; the worker is told available"
        return warning(Step.INVENTORY, text, *EMPTY_CURES)
    switches = [gpu for gpu in gpus if gpu.product_id.lower() in NVSWITCHES]
    nameless = [gpu for gpu in gpus if gpu not in switches and gpu.model is None]
    doubts: list[str] = []
    remedies: list[str] = []
    if switches:
        doubts.append(f"{len(switches)} of them NVSwitches ({_ids(switches)}), which are no GPUs")
        remedies.append(f"take {_ids(switches)} out of listing in [cvm.gpu] of DStack's vmm.toml")
    if nameless:
        doubts.append(f"{len(nameless)} of a model that nobody knows ({_ids(nameless)})")
        remedies.append("update-pciids on DStack's host, or report the product ids to us")
    text = "; ".join([_count(inventory), *doubts])
    return warning(Step.INVENTORY, text, *remedies) if doubts else ok(Step.INVENTORY, text)


def _count(inventory: GpuInventory) -> str:
    count = len(inventory.gpus)
    models = Counter(model for gpu in inventory.gpus if (model := _known(gpu)))
    named = ", ".join(f"{number} x {model}" for model, number in models.most_common(MOST_SHOWN))
    total = f"{count} {'GPU' if count == 1 else 'GPUs'}, {inventory.free_count} free"
    return f"{total}: {named}" if named else total


def _known(gpu: Gpu) -> str | None:
    model = gpu.model
    return sanitize(model) if model else None


def _ids(gpus: list[Gpu]) -> str:
    ids = Counter(gpu.product_id.lower() for gpu in gpus)
    shown = [each for each, _ in ids.most_common() if _PRODUCT_ID.fullmatch(each)]
    odd = len(ids) - len(shown)
    texts = shown[:MOST_SHOWN]
    if len(shown) > MOST_SHOWN:
        texts.append(f"{len(shown) - MOST_SHOWN} more")
    if odd:
        texts.append(f"{odd} that {'is' if odd == 1 else 'are'} no product id")
    return ", ".join(texts)
