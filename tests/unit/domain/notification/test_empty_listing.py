"""A source that lists no GPU from the start: what is told of it, and when."""

import pytest

from dstack_backend.domain import GpuInventory, Timestamp
from dstack_backend.domain.gpu import GpuState, StoredGpus, TrackedGpu, forget, restore, track
from dstack_backend.domain.history import EntryKind, HistoryEntry, StoredHistory
from dstack_backend.domain.notification import NotifyPolicy, NotifyState, on_gpus, resume
from dstack_backend.testing.fakes import ORIGIN
from tests.unit.domain.gpu.gpu_events import MAX_GAP, gpu, h200
from tests.unit.domain.notification.timeline import SLOT, Timeline
from tests.unit.domain.notification.timeline import gpu as gpu_entry
from tests.unit.history_entries import at, down, gap, up

EIGHT = tuple(f"{number}b:00.0" for number in range(1, 9))
STORED_NONE = StoredGpus()
STORED_GPU = StoredGpus(present=(TrackedGpu(gpu(SLOT), at(0)),))


class Node:
    """A process, by the seconds of its good checks."""

    def __init__(self, gpus: GpuState | None = None, state: NotifyState | None = None) -> None:
        self.timeline = Timeline(state=state)
        self.gpus = gpus

    def list_gpus(self, second: float, *slots: str) -> None:
        """Finish a good check, as a part of which the status may change."""
        self.timeline.pass_until(second)
        now = Timestamp(ORIGIN + second, at(second))
        self.observe(track(self.gpus, GpuInventory(gpus=h200(*slots)), now, MAX_GAP))

    def observe(self, gpus: GpuState) -> None:
        """Pass on what is known of the GPUs."""
        self.gpus = gpus
        self.timeline.state = on_gpus(self.timeline.state, gpus)

    def change(self, *entries: HistoryEntry) -> None:
        """Change the status."""
        self.timeline.add(entries)

    def told(self, until: float) -> list[tuple[float, list[str]]]:
        """Return what is told up to a second."""
        self.timeline.pass_until(until)
        return self.timeline.texts


def test_node_without_gpus_is_told_after_a_minute_and_the_first_gpus_at_once() -> None:
    """With their number, and how long there was none."""
    node = Node()
    node.list_gpus(0)
    node.change(up(0))
    node.list_gpus(10)
    assert node.told(59) == []
    node.list_gpus(500, *EIGHT)
    assert node.told(1000) == [(60, ["no_gpus"]), (500, ["gpus_listed 500 x8"])]
    node.list_gpus(1010)
    node.list_gpus(1011)
    assert len(node.told(5000)) == 2, "the loss of each GPU is told instead"


def test_node_that_lists_gpus_in_time_is_not_told() -> None:
    """DStack may start before the driver does."""
    node = Node()
    node.list_gpus(0)
    node.list_gpus(59, SLOT)
    assert node.told(1000) == []


def test_unavailability_begins_the_minute_anew() -> None:
    """Only good checks show that there is no GPU. Good ones that do not end it count as well."""
    node = Node()
    node.list_gpus(0)
    node.change(down(50))
    node.list_gpus(70)
    node.change(up(80))
    node.list_gpus(90)
    assert node.told(149) == []
    assert node.told(1000) == [(150, ["no_gpus"])]


def test_unavailability_after_the_message_does_not_repeat_it() -> None:
    """The GPUs are told when they are listed, also where the node is not available yet."""
    node = Node()
    node.list_gpus(0)
    node.change(down(1000), up(1010))
    node.list_gpus(1010)
    node.change(down(2000))
    node.list_gpus(2010, SLOT)
    assert node.told(2010) == [(60, ["no_gpus"]), (2010, ["gpus_listed 2010"])]


def test_gpus_that_are_lost_or_forgotten_are_not_told_as_none() -> None:
    """The loss of each was told, and an operator who forgets all of them knows."""
    node = Node()
    node.list_gpus(0, SLOT)
    for second in (10, 11):
        node.list_gpus(second)
    assert node.gpus
    assert node.gpus.missing
    node.observe(forget(node.gpus, {SLOT}))
    node.list_gpus(20)
    assert node.told(1000) == []


def restarted(stored: StoredHistory, second: float) -> NotifyState:
    """Return the state of a process that starts at a second."""
    return resume(stored, Timestamp(ORIGIN + second, at(second)), NotifyPolicy())


@pytest.mark.parametrize("entries", [[up(0)], [up(0), gap(100)], [up(0), down(70), up(80)]])
def test_restart_does_not_repeat_the_message(entries: list[HistoryEntry]) -> None:
    """And its end is told with the whole time."""
    stored = StoredHistory(entries, at(100), STORED_NONE)
    node = Node(restore(None, STORED_NONE, at(100)), restarted(stored, 105))
    node.list_gpus(106)
    node.change(up(106))
    assert node.told(400) == []
    node.list_gpus(400, *EIGHT)
    assert node.told(1000) == [(400, ["gpus_listed 400 x8"])]


@pytest.mark.parametrize("entries", [[up(60)], [up(0), gap(50), up(60)], [up(0), down(50), up(60)]])
def test_restart_before_the_message_begins_anew(entries: list[HistoryEntry]) -> None:
    """As for an outage that was not told."""
    stored = StoredHistory(entries, at(100), STORED_NONE)
    node = Node(restore(None, STORED_NONE, at(100)), restarted(stored, 105))
    node.list_gpus(106)
    assert node.told(1000) == [(166, ["no_gpus"])]


def test_restart_does_not_tell_of_gpus_that_were_forgotten() -> None:
    """Neither that there is none, nor that there was none since the node is available."""
    lost = gpu_entry(EntryKind.GPU_LOST, 1000, 990)
    stored = StoredHistory([up(0), lost], at(2000), STORED_NONE)
    node = Node(restore(None, STORED_NONE, at(2000)), restarted(stored, 2005))
    for second in (2006, 3000):
        node.list_gpus(second)
    node.list_gpus(4000, *EIGHT)
    assert node.told(9000) == []


def test_gpus_of_an_earlier_process_are_not_told_as_none() -> None:
    """Whether they are known before or after the first check."""
    state = restarted(StoredHistory([up(0)], at(100), STORED_GPU), 105)
    assert state.empty is None
    early, late = Node(restore(None, STORED_GPU, at(100)), state), Node(None, state)
    for node in (early, late):
        node.list_gpus(106)
    assert late.gpus
    late.observe(restore(late.gpus, STORED_GPU, at(100)))
    assert early.told(1000) == late.told(1000) == []


def test_history_that_is_loaded_late_does_not_end_the_message() -> None:
    """The GPUs of the earlier process are known then, but not listed."""
    node = Node()
    node.list_gpus(0)
    node.timeline.pass_until(100)
    assert node.gpus
    node.observe(restore(node.gpus, STORED_GPU, at(-100)))
    assert node.told(1000) == [(60, ["no_gpus"])]


def test_memory_alone_is_not_a_check() -> None:
    """A restored state without a good check says nothing about the present listing."""
    node = Node()
    node.observe(restore(None, STORED_NONE, at(0)))
    assert node.told(1000) == []
