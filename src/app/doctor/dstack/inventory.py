"""The check of the inventory: enough GPUs, each of a known model, and none of them missing."""

import re
from collections import Counter
from collections.abc import Iterable, Sequence

from dstack_backend.app.doctor.finding import Finding, Step, sanitize
from dstack_backend.domain.check import Reason
from dstack_backend.domain.formatting import format_time, join_some
from dstack_backend.domain.gpu import Gpu, GpuInventory, MissingGpu, is_pci_address, track
from dstack_backend.domain.history import StoredHistory
from dstack_backend.domain.timestamp import Timestamp

__all__ = ["check_inventory", "missing_from"]

MAX_SHOWN = 8

# Nothing else that DStack sends as an id or a slot is shown.
_PRODUCT_ID = re.compile(r"[0-9a-f]{4}:[0-9a-f]{4}")

_LISTING_REMEDIES = (
    "in DStack's vmm.toml, under [cvm.gpu], enabled must be true",
    "listing there must contain the cards' product ids; include and exclude must let them through",
    "show the cards: lspci -nn | grep -i nvidia, as DStack's user on its host",
)
_MISSING_REMEDIES = (
    "search the host's kernel log: dmesg | grep -i -e xid -e 'fallen off the bus'",
    "power the host off and on; a reboot is often not enough",
    "if the card does not return, reseat it; DStack's exclude must let the card through",
)


def missing_from(
    inventory: GpuInventory, stored: StoredHistory, now: Timestamp
) -> tuple[MissingGpu, ...]:
    """Return the GPUs of the stored history that an inventory does not list."""
    state = stored.gpu_state
    if state is None:
        return ()
    for _ in range(2):  # the second check confirms a loss
        state = track(state, inventory, now, 0.0)
    return tuple(state.missing.values())


def check_inventory(
    inventory: GpuInventory, missing: Sequence[MissingGpu] = (), min_gpus: int = 0
) -> Finding:
    """Return the models of the GPUs, and what is unexpected about them."""
    text, remedies = _models(inventory), list[str]()
    if missing:
        text += f"; {_missing(missing)}"
        slots = [each.gpu.slot for each in missing if is_pci_address(each.gpu.slot)]
        slot = slots[0] if slots else "SLOT"
        remedies += [f"on the host: lspci -s {slot}", *_MISSING_REMEDIES]
        remedies.append(f"if it was removed on purpose: dstack-backend gpus --forget {slot}")
    has_too_few = len(inventory.gpus) < min_gpus
    if inventory.is_empty or (has_too_few and not missing):
        remedies += _LISTING_REMEDIES
    unknown = [gpu for gpu in inventory.gpus if gpu.model is None]
    if unknown:
        text += f"; {len(unknown)} of an unknown model ({_ids(unknown)})"
        remedies.append("update-pciids on DStack's host, or report the product ids as an issue")
    if switches := inventory.other_devices:
        text += f"; and NVSwitches ({len(switches)} x {_ids(switches)}), which do not count as GPUs"
        remedies.append(f"remove {_ids(switches)} from listing in [cvm.gpu] of DStack's vmm.toml")
    if has_too_few:
        text += f"; fewer than MIN_GPUS={min_gpus}: the status is unavailable"
        remedies.append("or lower MIN_GPUS")
        return Step.INVENTORY.failed(text, *remedies, reason=Reason.TOO_FEW_GPUS)
    return Step.INVENTORY.warning(text, *remedies) if remedies else Step.INVENTORY.ok(text)


def _models(inventory: GpuInventory) -> str:
    if inventory.is_empty:
        return "DStack is online and lists no GPU"
    models = Counter(sanitize(gpu.model) for gpu in inventory.gpus if gpu.model)
    shown = ", ".join(f"{count} x {model}" for model, count in models.most_common(MAX_SHOWN))
    return f"{inventory.summary}: {shown}" if shown else inventory.summary


def _missing(missing: Sequence[MissingGpu]) -> str:
    count = "1 GPU is missing" if len(missing) == 1 else f"{len(missing)} GPUs are missing"
    return f"{count}: {join_some([_name(each) for each in missing], MAX_SHOWN)}"


def _name(each: MissingGpu) -> str:
    gpu = each.gpu
    model = sanitize(gpu.model) if gpu.model else "an unknown model"
    slot = gpu.slot if is_pci_address(gpu.slot) else "an unknown slot"
    return f"{model} in {slot} (last seen {format_time(each.last_seen)} UTC)"


def _ids(gpus: Iterable[Gpu]) -> str:
    ids = dict.fromkeys(gpu.product_id.lower() for gpu in gpus)
    valid = [each for each in ids if _PRODUCT_ID.fullmatch(each)]
    texts = [join_some(valid, MAX_SHOWN)] if valid else []
    if invalid := len(ids) - len(valid):
        texts.append(f"{invalid} that {'is' if invalid == 1 else 'are'} not a product id")
    return ", ".join(texts)
