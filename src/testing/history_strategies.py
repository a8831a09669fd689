"""Hypothesis strategies for histories: entries whose clock may have been wrong."""

from datetime import UTC, datetime, timedelta

import hypothesis.strategies as st
from hypothesis.strategies import SearchStrategy

from dstack_backend.domain.check import Reason
from dstack_backend.domain.history import GapCause, HistoryEntry
from dstack_backend.domain.status import Status

__all__ = ["HISTORY_START", "entry_lists", "history_entries"]

HISTORY_START = datetime(2026, 1, 1, tzinfo=UTC)

_MESSAGES = ("8 GPUs, 5 free", "Connection error: connection refused")

_WRONG_SECONDS = (-1_700_000_000, 30 * 86_400)

_AFTER = (
    (Status.AVAILABLE, None, None),
    *((None, None, cause) for cause in GapCause),
    *((Status.UNAVAILABLE, reason, None) for reason in Reason),
)


def history_entries(
    seconds: SearchStrategy[int] | None = None, texts: SearchStrategy[str] | None = None
) -> SearchStrategy[HistoryEntry]:
    """Entries without a number, within two minutes of `HISTORY_START`.

    Some have the time of a wrong clock: one that was not set, or one that was a month ahead.
    """
    return st.builds(
        _entry,
        st.one_of(st.integers(0, 120), st.sampled_from(_WRONG_SECONDS))
        if seconds is None
        else seconds,
        st.sampled_from((None, *Status)),
        st.sampled_from(_AFTER),
        st.sampled_from(_MESSAGES) if texts is None else texts,
    )


def entry_lists(texts: SearchStrategy[str] | None = None) -> SearchStrategy[list[HistoryEntry]]:
    """Up to twelve entries in the order of writing."""
    return st.lists(history_entries(texts=texts), max_size=12)


def _entry(
    second: int,
    before: Status | None,
    after: tuple[Status | None, Reason | None, GapCause | None],
    message: str,
) -> HistoryEntry:
    return HistoryEntry(
        at=HISTORY_START + timedelta(seconds=second),
        before=before,
        after=after[0],
        reason=after[1],
        gap=after[2],
        message=message,
    )
