"""A model of the rules for GPUs, as plain as possible: a list of events, and rules over all of it.

Nothing is carried from one event to the next. Each question looks at the whole list again.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import pairwise

from msgspec import Struct

from dstack_backend.domain import Gpu, Timestamp

__all__ = ["Event", "Failed", "Forgotten", "Good", "GpuModel", "Key", "numbered"]

Key = tuple[str, int]
Change = tuple[str, Key, datetime | None, Gpu | None]


class Good(Struct, frozen=True):
    """A check that listed GPUs."""

    at: Timestamp
    gpus: tuple[Gpu, ...]


class Failed(Struct, frozen=True):
    """A check that failed."""


class Forgotten(Struct, frozen=True):
    """A request to forget the missing GPU of a slot."""

    slot: str


Event = Good | Failed | Forgotten


def numbered(gpus: Sequence[Gpu]) -> dict[Key, Gpu]:
    """Rule 1: the GPUs of a slot are numbered by product id, description and use."""
    found: dict[Key, Gpu] = {}
    for gpu in sorted(gpus, key=lambda each: (each.product_id, each.description, each.is_free)):
        found[gpu.slot, sum(key[0] == gpu.slot for key in found)] = gpu
    return found


class GpuModel(Struct, frozen=True):
    """What happened, in order."""

    events: Sequence[Event]

    def before(self, number: int) -> "GpuModel":
        """Return the model of what happened before an event."""
        return GpuModel(self.events[:number])

    def checks(self) -> list[tuple[int, Good | Failed]]:
        """Return the checks with their numbers."""
        return [(i, each) for i, each in enumerate(self.events) if not isinstance(each, Forgotten)]

    def good(self) -> list[tuple[int, Good]]:
        """Return the good checks with their numbers."""
        return [(i, each) for i, each in enumerate(self.events) if isinstance(each, Good)]

    def keys(self) -> set[Key]:
        """Return every GPU that was ever listed."""
        return {key for _, check in self.good() for key in numbered(check.gpus)}

    def last_listing(self, key: Key) -> tuple[int, Good]:
        """Return the last good check that listed a GPU."""
        return [(i, check) for i, check in self.good() if key in numbered(check.gpus)][-1]

    def lost_by(self, key: Key) -> int | None:
        """Rule 2: the second of two good checks in a row after the last one that listed it."""
        listed, checks = self.last_listing(key)[0], self.checks()
        for (first, before), (second, after) in pairwise(checks):
            if first > listed and isinstance(before, Good) and isinstance(after, Good):
                return second
        return None

    def present(self) -> dict[Key, Gpu]:
        """Return the GPUs that were listed and not lost since, as they were listed last."""
        keys = [key for key in self.keys() if self.lost_by(key) is None]
        return {key: numbered(self.last_listing(key)[1].gpus)[key] for key in keys}

    def missing(self) -> dict[Key, datetime]:
        """Rule 3: the GPUs that were lost, and when they were listed last."""
        found: dict[Key, datetime] = {}
        for key in self.keys():
            lost, last_seen = self.lost_by(key), self.last_listing(key)[1].at.utc
            if lost is None or self.is_forgotten(key[0], lost) or self.is_expired(lost, last_seen):
                continue
            found[key] = last_seen
        return found

    def is_forgotten(self, slot: str, since: int) -> bool:
        """Return whether a slot was forgotten since an event."""
        return Forgotten(slot) in self.events[since:]

    def is_expired(self, since: int, last_seen: datetime) -> bool:
        """Return whether a steady clock showed since an event that 30 days have passed."""
        return last_seen.year >= 2025 and any(
            i >= since
            and check.at.utc - last_seen > timedelta(days=30)
            and check.at.monotonic - self.steady_since(i).monotonic >= 3600
            for i, check in self.good()
        )

    def steady_since(self, number: int) -> Timestamp:
        """Return the good check since which the wall clock has run like the monotonic one."""
        since: Timestamp | None = None
        for i, check in self.good():
            at = check.at
            wall = (at.utc - since.utc).total_seconds() if since else 0
            if since is None or abs(wall - (at.monotonic - since.monotonic)) > 30:
                since = at
            if i == number:
                break
        assert since
        return since

    def unconfirmed(self) -> dict[Key, datetime]:
        """Return the present GPUs that the last good check did not list."""
        if not self.good():
            return {}
        listed = numbered(self.good()[-1][1].gpus)
        keys = self.present().keys() - listed.keys()
        return {key: self.last_listing(key)[1].at.utc for key in keys}

    def changes(self) -> set[Change]:
        """Return kind, GPU, when it was last listed before, and what it was, of the last event."""
        last = len(self.events) - 1
        check, earlier = (self.events[last] if self.events else None), self.before(last)
        if not isinstance(check, Good) or not earlier.good():
            return set()
        lost = {key for key in self.keys() if self.lost_by(key) == last}
        found: set[Change] = set()
        found |= {("lost", key, self.last_listing(key)[1].at.utc, None) for key in lost}
        for key, gpu in numbered(check.gpus).items():
            last_seen = earlier.missing().get(key)
            before = earlier.present().get(key)
            if last_seen:
                before = numbered(earlier.last_listing(key)[1].gpus)[key]
            if before and before.product_id != gpu.product_id:
                found.add(("replaced", key, last_seen, before))
            elif last_seen or not before:
                found.add(("found", key, last_seen, None))
            elif before.is_free != gpu.is_free:
                found.add(("released" if gpu.is_free else "allocated", key, None, None))
        return found

    def needs_confirmation(self) -> bool:
        """Return whether an extra check is due: for a first short list, or after a loss."""
        number, last = self.checks()[-1] if self.checks() else (0, None)
        if not isinstance(last, Good) or not self.unconfirmed():
            return False
        has_lost = any(self.lost_by(key) == number for key in self.keys())
        return has_lost or not self.before(number).unconfirmed()

    def known_time(self, max_gap: float) -> float:
        """Rule 4: the seconds between the last two checks, where both were good."""
        checks = [check for _, check in self.checks()]
        last = checks[-2:]
        if len(last) < 2 or not isinstance(last[0], Good) or not isinstance(last[1], Good):
            return 0.0
        seconds = last[1].at.monotonic - last[0].at.monotonic
        return seconds if seconds <= max_gap else 0.0
