"""The GPUs as the template shows them: cards, what is missing, strips of their use."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from itertools import groupby
from typing import Any

from msgspec.structs import replace

from dstack_backend.adapters.litestar_http.page.i18n import Translation
from dstack_backend.domain.gpu import (
    Gpu,
    GpuState,
    GpuUse,
    MissingGpu,
    TrackedGpu,
    UseShare,
    is_gpu,
    is_pci_address,
)

__all__ = ["MAX_GPUS", "gpu_context"]

MAX_GPUS = 64
DENSE = 16
"""Cards from which on there is a cell for each GPU, and a table, in groups by model."""

MAX_MISSING = 8
"""Missing GPUs that are named above everything else."""

HEIGHT = 10
"""The height of a strip. Its width is 1 for each period."""


def gpu_context(
    state: GpuState, use: GpuUse, now: datetime, translation: Translation, *, is_listed: bool
) -> dict[str, Any]:
    """Return the template's variables about the GPUs.

    Args:
        state: What is known of them.
        use: How long they were in use.
        now: The present time.
        translation: Texts.
        is_listed: Whether the status is based on a list of GPUs.
    """
    present, missing = list(state.present.values()), list(state.missing.values())
    known: list[TrackedGpu | MissingGpu] = [*present, *missing]
    shown = sorted(known, key=lambda each: each.gpu.slot)[:MAX_GPUS]
    listed = state.inventory.gpus
    # A list that is too long is not tracked as a whole.
    counted = listed if len(listed) > len(present) else [each.gpu for each in present]
    free = sum(gpu.is_free for gpu in counted)
    cards = [_card(each, use, now) for each in shown]
    return {
        "is_current": is_listed and state.last_good is not None,
        "seen_at": state.seen_at,
        "counts": (len(counted), free, len(counted) - free),
        "cards": cards,
        "groups": _groups(cards) if len(cards) >= DENSE else [],
        "more": len(counted) + len(missing) - len(shown),
        "use": {
            name: (share, max(each[name].known_seconds for each in use.slots.values()))
            for name, share in _windows(use.node if use.slots else {}).items()
        },
        "others": _others(state.inventory.other_devices),
        "missing_count": len(missing),
        "missing": missing[:MAX_MISSING],
        "remedies": _remedies(translation, missing[:MAX_MISSING]),
    }


def _groups(cards: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the cards by model, with the number of each state. All unknown models are one."""
    groups: dict[str | None, list[dict[str, Any]]] = {}
    for card in cards:
        groups.setdefault(card["gpu"].model, []).append(card)
    return [
        {"model": model, "cards": each, "counts": Counter(card["state"] for card in each)}
        for model, each in groups.items()
    ]


def _card(each: TrackedGpu | MissingGpu, use: GpuUse, now: datetime) -> dict[str, Any]:
    is_recorded = each.number == 0  # the use of a slot is that of its first GPU
    card = {
        "gpu": each.gpu,
        "use": _windows(use.slots.get(each.gpu.slot, {})) if is_recorded else {},
        "strip": _strip(use.strips.get(each.gpu.slot, ())) if is_recorded else None,
    }
    if isinstance(each, MissingGpu):
        return {**card, "state": "missing", "last_seen": each.last_seen}
    seconds = int((now - each.since).total_seconds())
    return {**card, "state": "free" if each.gpu.is_free else "in_use", "seconds": seconds}


def _windows(shares: Mapping[str, UseShare]) -> dict[str, UseShare]:
    """Return the shortest window, and those of which more is known than of a shorter one."""
    known = -1.0
    found: dict[str, UseShare] = {}
    for name, share in shares.items():
        if share.known_seconds > known:
            found[name], known = share, share.known_seconds
    return found


def _strip(shares: Sequence[UseShare]) -> dict[str, Any] | None:
    """Return the paths of an SVG image, of the known periods, the use in them and the others."""
    if not shares:
        return None
    # Else a new service would draw nothing for up to a quarter of an hour.
    present = replace(shares[-1], unknown_seconds=0.0)
    levels = [_level(share) for share in (*shares[:-1], present)]
    return {
        "width": len(shares),
        "height": HEIGHT,
        "free": _path(levels, lambda level: (0, 0 if level is None else HEIGHT)),
        "in_use": _path(levels, lambda level: (HEIGHT - (level or 0), level or 0)),
        "unknown": _path(levels, lambda level: (HEIGHT // 2 - 1, 2 if level is None else 0)),
    }


def _level(share: UseShare) -> int | None:
    """Return the height of the use in a period; `None` where most of it is unknown.

    Some use is never drawn as none, and some free time never as full use.
    """
    in_use, free = share.in_use_seconds, share.free_seconds
    if share.known_seconds <= share.unknown_seconds:
        return None
    lowest, highest = 2 * (in_use > 0), HEIGHT - 2 * (free > 0)
    return min(highest, max(lowest, round(HEIGHT * in_use / share.known_seconds)))


def _path(levels: Sequence[int | None], box: Callable[[int | None], tuple[int, int]]) -> str:
    """Return rectangles, one for each run of equal levels. `box` returns top and height."""
    parts: list[str] = []
    start = 0
    for level, run in groupby(levels):
        width = len(list(run))
        top, height = box(level)
        if height:
            parts.append(f"M{start} {top}h{width}v{height}h-{width}z")
        start += width
    return "".join(parts)


def _others(devices: Sequence[Gpu]) -> str:
    if any(is_gpu(each.product_id) for each in devices):
        return str(len(devices))
    return f"{len(devices)} \u00d7 NVSwitch" if devices else ""


def _remedies(translation: Translation, missing: Sequence[MissingGpu]) -> list[str]:
    """Return the remedies with the slots in their commands, where they are PCI addresses."""
    slots = [each.gpu.slot for each in missing if is_pci_address(each.gpu.slot)]
    commands = [f"`lspci -s {slot}`" for slot in dict.fromkeys(slots)] or ["`lspci`"]
    all_commands = translation.strings["comma"].join(commands)
    only = slots[0] if len(slots) == len(missing) == 1 else "SLOT"
    return [
        each.replace("`lspci -s SLOT`", all_commands).replace("SLOT", only)
        for each in translation.missing_gpus.remedies
    ]
