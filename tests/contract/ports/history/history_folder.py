"""A folder with a history file, as tests write and read it."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from dstack_backend.adapters.sqlite_history import FILE, SqliteHistory, read_history
from dstack_backend.domain import Status
from dstack_backend.domain.history import HistoryEntry

__all__ = ["NOW", "add", "entries", "entry", "messages", "quarantined", "write"]

NOW = datetime(2026, 11, 24, tzinfo=UTC)


def entry(number: int = 1, message: str = "8 GPUs, 5 free") -> HistoryEntry:
    """Return an entry; its time is its number in seconds after `NOW`."""
    return HistoryEntry(
        at=NOW + timedelta(seconds=number),
        before=None,
        after=Status.AVAILABLE,
        reason=None,
        message=message,
        number=number,
    )


def entries(count: int, message: str = "{}") -> list[HistoryEntry]:
    """Return entries from number 1 on; a `{}` in the message becomes the number."""
    return [entry(number, message.format(number)) for number in range(1, count + 1)]


def add(store: SqliteHistory, *new: HistoryEntry) -> None:
    """Append entries after whatever is stored."""
    stored = store.load().entries
    store.append(new, NOW, stored[-1] if stored else None)


def write(folder: Path, *new: HistoryEntry) -> None:
    """Run a service for a moment."""
    store = SqliteHistory(folder)
    add(store, *new)
    store.close()


def messages(folder: Path) -> Sequence[str]:
    """Return the messages of the file, in the order of writing."""
    return [each.message for each in read_history(folder).entries]


def quarantined(folder: Path, kind: str = "corrupt") -> list[str]:
    """Return the names of the files in quarantine."""
    return sorted(path.name for path in folder.glob(f"{FILE}.{kind}-*"))
