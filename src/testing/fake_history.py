"""A fake of the port `HistoryReader`."""

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta

from msgspec.structs import replace

from dstack_backend.domain.gpu import GpuUse
from dstack_backend.domain.history import (
    DEFAULT_KINDS,
    EntryGroup,
    EntryKind,
    HistoryEntry,
    Incident,
    Uptime,
    incidents,
    latest,
    record_start,
    spans,
    status_entries,
    timeline,
    uptime_windows,
)

__all__ = ["FakeHistory"]


class FakeHistory:
    """A `HistoryReader` over entries that a test provides.

    Attributes:
        now: The present time.
        calls: How many calls there were.
        use: How long the GPUs were in use.
    """

    def __init__(self, entries: Sequence[HistoryEntry], now: datetime) -> None:
        """Store the entries, in the order of writing; they are numbered from 1."""
        self.now = now
        self.calls = 0
        self.use = GpuUse()
        self._entries = [replace(entry, number=number) for number, entry in enumerate(entries, 1)]

    async def latest(
        self,
        limit: int,
        *,
        since: datetime | None = None,
        until: datetime | None = None,
        before: int | None = None,
        kinds: Collection[EntryKind] = DEFAULT_KINDS,
    ) -> list[HistoryEntry]:
        """Return entries, the last written first."""
        self.calls += 1
        entries = reversed(self._entries)
        return latest(entries, limit, since=since, until=until, before=before, kinds=kinds)

    async def timeline(self, seconds: float, slots: int) -> list[Uptime]:
        """Divide the last so many seconds into slots, the oldest first."""
        self.calls += 1
        since = self.now - timedelta(seconds=seconds)
        return timeline(spans(self._entries, since, self.now, self.now), since, self.now, slots)

    async def uptime(self) -> dict[str, Uptime]:
        """Return the uptime of each window."""
        self.calls += 1
        return uptime_windows(self._entries, self.now, self.now)

    async def start(self) -> datetime | None:
        """Return from when on the status is recorded."""
        self.calls += 1
        return record_start(self._entries)

    async def incidents(self, limit: int, before: int | None = None) -> list[Incident]:
        """Return incidents, the one that began last first."""
        self.calls += 1
        gpus = [each for each in self._entries if each.kind.group is EntryGroup.GPU]
        return incidents(status_entries(self._entries), gpus, limit, before)

    async def gpu_use(self) -> GpuUse:
        """Return `use`."""
        self.calls += 1
        return self.use
