"""A past and news that somebody sets, for the tests of the page and of the paths of the past."""

from datetime import datetime, timedelta

from dstack_backend.domain import CheckFailure, Reason, Status
from dstack_backend.domain.history import NOT_RUNNING, HistoryEntry, HistoryError, Uptime
from dstack_backend.testing.fakes import EPOCH

__all__ = ["ENTRIES", "FakePast"]

_REFUSED = CheckFailure(Reason.CONNECTION_REFUSED)


def _entry(number: int, after: Status | None, reason: Reason | None, sentence: str) -> HistoryEntry:
    at = EPOCH + timedelta(hours=number)
    return HistoryEntry(
        at=at, before=None, after=after, reason=reason, sentence=sentence, number=number
    )


ENTRIES = [
    _entry(1, Status.AVAILABLE, None, "8 GPUs, 5 free"),
    _entry(2, Status.UNAVAILABLE, Reason.CONNECTION_REFUSED, _REFUSED.sentence),
    _entry(3, None, None, NOT_RUNNING),
    _entry(4, Status.UNAVAILABLE, Reason.STALE, "Stale: the last check finished 37 s ago"),
    _entry(5, Status.AVAILABLE, None, "8 GPUs, 5 free"),
]


class FakePast:
    """Implements the port `Past`.

    Attributes:
        entries: The entries, the first written first.
        day: How each slot divides, in shares.
        broken: Nothing can be read.
        asked: How often a timeline was asked for.
    """

    def __init__(self) -> None:
        """Begin with some entries, and always up."""
        self.entries = list(ENTRIES)
        self.day = (1.0, 0.0, 0.0)
        self.broken = False
        self.asked = 0

    async def latest(
        self,
        limit: int,
        *,
        since: datetime | None = None,
        until: datetime | None = None,
        before: int | None = None,
    ) -> list[HistoryEntry]:
        """Give entries, the last written first."""
        self._read()
        found = [
            entry
            for entry in reversed(self.entries)
            if (since is None or entry.at >= since)
            and (until is None or entry.at < until)
            and (before is None or entry.number < before)
        ]
        return found[:limit]

    async def timeline(self, seconds: float, slots: int) -> list[Uptime]:
        """Give slots that are all alike."""
        self._read()
        self.asked += 1
        return [Uptime(*(share * seconds / slots for share in self.day))] * slots

    def _read(self) -> None:
        if self.broken:
            raise HistoryError("disk I/O error at /var/secret")
