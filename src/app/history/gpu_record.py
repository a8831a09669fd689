"""What the history keeps of the GPUs in memory, and what of it is not saved yet."""

from collections.abc import Callable, Collection, Sequence
from datetime import datetime
from typing import Protocol

from dstack_backend.domain.gpu import GpuState, StoredGpus, UseRecord
from dstack_backend.domain.history import GpuUpdate, StoredHistory

__all__ = ["GpuMemory", "GpuRecord", "OnLoad"]

OnLoad = Callable[[StoredHistory], None]


class GpuMemory(Protocol):
    """What continues the GPUs that are stored: the monitor."""

    def restore_gpus(self, stored: StoredGpus, seen_at: datetime) -> None:
        """Continue what an earlier process remembered."""
        ...

    def forget_gpus(self, slots: Collection[str]) -> None:
        """Forget the missing GPUs of some slots."""
        ...


class GpuRecord:
    """The GPUs that are present or missing, and how long they were in use.

    Attributes:
        use: How long they were in use.
    """

    def __init__(self) -> None:
        """Start empty."""
        self.use = UseRecord()
        self._state: GpuState | None = None
        self._stored: StoredGpus | None = None
        self._is_saved = True

    def add(self, gpus: GpuState) -> None:
        """Add the time in use up to a check, and note which GPUs are present or missing."""
        self.use.add(gpus)
        known = self._state
        if known is None or gpus.present is not known.present or gpus.missing is not known.missing:
            stored = gpus.stored
            self._is_saved = self._is_saved and stored == self._stored
            self._stored = stored
        self._state = gpus

    def take_update(self, forgotten: Sequence[str]) -> GpuUpdate:
        """Return what is not saved yet. From now on it counts as saved; see `give_back`."""
        state = None if self._is_saved else self._stored
        use = self.use.periods(self.use.changed)
        self.use.changed.clear()
        self._is_saved = True
        return GpuUpdate(state=state, use=use, forgotten=forgotten)

    def give_back(self, update: GpuUpdate) -> None:
        """Note that an update could not be saved."""
        self._is_saved = self._is_saved and update.state is None
        self.use.changed.update(each.number for each in update.use)

    def save_again(self) -> None:
        """Note that nothing is saved: the store was replaced."""
        self._is_saved = self._stored is None
        self.use.changed.update(self.use.all_numbers())
