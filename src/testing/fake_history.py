"""A fake of the port `HistoryReader`."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import TypeVar

from msgspec.structs import replace

from dstack_backend.adapters.memory_entries import EntriesReader
from dstack_backend.domain.gpu import GpuUse
from dstack_backend.domain.history import HistoryEntry

__all__ = ["FakeHistory"]

T = TypeVar("T")


class FakeHistory(EntriesReader):
    """A `HistoryReader` over entries that a test provides.

    Attributes:
        now: The present time.
        calls: How many calls there were.
        use: How long the GPUs were in use.
    """

    def __init__(self, entries: Sequence[HistoryEntry], now: datetime) -> None:
        """Store the entries, in the order of writing; they are numbered from 1."""
        numbered = [replace(entry, number=number) for number, entry in enumerate(entries, 1)]
        super().__init__(lambda: self.now, numbered)
        self.now = now
        self.calls = 0
        self.use = GpuUse()

    async def _read(self, work: Callable[[], T], *, is_long: bool = True) -> T:  # noqa: ARG002 - a fake needs no thread
        self.calls += 1
        return work()

    async def gpu_use(self) -> GpuUse:
        """Return `use`."""
        self.calls += 1
        return self.use
