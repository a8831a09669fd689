"""A folder with a history, as tests fill it and look into it."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

from dstack_backend.adapters.sqlite_history import FILE, SqliteHistory, SqliteReader
from dstack_backend.domain import Status
from dstack_backend.domain.history import HistoryEntry

__all__ = ["NOW", "aside", "entry", "sentences", "write"]

NOW = datetime(2026, 11, 24, tzinfo=UTC)


def entry(second: float = 0, message: str = "8 GPUs, 5 free") -> HistoryEntry:
    """An entry."""
    at = NOW + timedelta(seconds=second)
    return HistoryEntry(at=at, before=None, after=Status.AVAILABLE, reason=None, message=message)


def write(folder: Path, *entries: HistoryEntry) -> None:
    """Be a service that ran for a moment."""
    history = SqliteHistory(folder)
    history.append(entries, NOW)
    history.close()


def sentences(folder: Path) -> list[str]:
    """What is there, in the order of writing."""
    return [entry.message for entry in SqliteReader(folder).latest(100_000)][::-1]


def aside(folder: Path) -> list[str]:
    """The names of what was set aside."""
    return sorted(path.name for path in folder.glob(f"{FILE}.corrupt-*"))
