"""Hypothesis strategy for what happens to the GPUs of a node, and shorthands for tests of it."""

from collections.abc import Sequence
from datetime import datetime, timedelta

import hypothesis.strategies as st
from hypothesis.strategies import DrawFn, SearchStrategy

from dstack_backend.domain import Gpu, GpuInventory, Timestamp
from dstack_backend.domain.gpu import GpuState, forget, interrupt, track
from dstack_backend.testing.fakes import EPOCH
from tests.unit.domain.gpu.gpu_model import Event, Failed, Forgotten, Good

__all__ = ["MAX_GAP", "START", "events", "good", "gpu", "h200", "lost", "state_after", "states"]

START = Timestamp(1000.0, EPOCH)
MAX_GAP = 35.0
SLOTS = ("3b:00.0", "9b:00.0", "")


def gpu(slot: str, product_id: str = "10de:2335", *, is_free: bool = True) -> Gpu:
    """Return a GPU."""
    return Gpu(slot=slot, product_id=product_id, description="NVIDIA", is_free=is_free)


def h200(*slots: str, used: str = "") -> tuple[Gpu, ...]:
    """Return free GPUs of one model, except for one that is in use."""
    return tuple(gpu(slot, is_free=slot != used) for slot in slots)


def good(second: float, *gpus: Gpu) -> Good:
    """Return a check that listed GPUs."""
    return Good(START + second, gpus)


def states(events: Sequence[Event], state: GpuState | None = None) -> list[GpuState | None]:
    """Return the state after each event."""
    found = [state]
    for event in events:
        if isinstance(event, Good):
            state = track(state, GpuInventory(gpus=event.gpus), event.at, MAX_GAP)
        elif state:
            state = interrupt(state) if isinstance(event, Failed) else forget(state, {event.slot})
        found.append(state)
    return found[1:]


def state_after(*events: Event, state: GpuState | None = None) -> GpuState:
    """Return the state after all events."""
    last = states(events, state)[-1]
    assert last
    return last


def lost(state: GpuState) -> list[tuple[str, datetime | None]]:
    """Return the slots that the last check showed to be lost, and when they were last seen."""
    return [(each.gpu.slot, each.last_seen) for each in state.changes if each.kind == "lost"]


def _lists() -> SearchStrategy[tuple[Gpu, ...]]:
    gpus = st.builds(
        gpu,
        st.sampled_from(SLOTS),
        st.sampled_from(("10de:2335", "10de:2331")),
        is_free=st.booleans(),
    )
    same = st.sampled_from((h200(*SLOTS), h200(*SLOTS[:2]), h200(SLOTS[0]), ()))
    return same | st.lists(gpus, max_size=4).map(tuple)


@st.composite
def events(draw: DrawFn) -> list[Event]:
    """Return checks that are seconds or weeks apart, failures, requests; a clock that is set."""
    pauses = st.sampled_from((0.0, 1.0, 10.0, 35.0, 35.25, 3600.0, 86_400.0 * 20))
    skews = st.sampled_from((0.0, 0.0, 0.0, 29.0, -86_400.0, 86_400.0 * 40, -86_400.0 * 365 * 30))
    at, found = START, list[Event]()
    skew = draw(skews)
    for kind in draw(st.lists(st.sampled_from("gggggffrs"), max_size=12)):
        if kind == "s":
            skew = draw(skews)
        elif kind == "f":
            found.append(Failed())
        elif kind == "r":
            found.append(Forgotten(draw(st.sampled_from(SLOTS))))
        else:
            at += draw(pauses)
            now = Timestamp(at.monotonic, at.utc + timedelta(seconds=skew))
            found.append(Good(now, draw(_lists())))
    return found
