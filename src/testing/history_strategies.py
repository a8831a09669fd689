"""Hypothesis strategies for the past: entries, in order and not."""

from datetime import UTC, datetime, timedelta

import hypothesis.strategies as st
from hypothesis.strategies import SearchStrategy

from dstack_backend.domain.check import Reason
from dstack_backend.domain.history import HistoryEntry
from dstack_backend.domain.status import Status

__all__ = ["PAST_BEGINS", "history_entries", "pasts"]

PAST_BEGINS = datetime(2026, 1, 1, tzinfo=UTC)

_TEXTS = ("8 GPUs, 5 free", "Connection error: connection refused")

_WRONG = (-1_700_000_000, 30 * 86_400)

_AFTER = (
    (Status.AVAILABLE, None),
    (None, None),
    *((Status.UNAVAILABLE, reason) for reason in Reason),
)


def history_entries(
    seconds: SearchStrategy[int] | None = None, texts: SearchStrategy[str] | None = None
) -> SearchStrategy[HistoryEntry]:
    """Entries as they are before they are written, within two minutes of `PAST_BEGINS`.

    Some are of a clock that was wrong: not set, or a month ahead.
    """
    return st.builds(
        _entry,
        st.one_of(st.integers(0, 120), st.sampled_from(_WRONG)) if seconds is None else seconds,
        st.sampled_from((None, *Status)),
        st.sampled_from(_AFTER),
        st.sampled_from(_TEXTS) if texts is None else texts,
    )


def pasts(texts: SearchStrategy[str] | None = None) -> SearchStrategy[list[HistoryEntry]]:
    """Entries in the order of writing; the clock may have been wrong at any of them."""
    return st.lists(history_entries(texts=texts), max_size=12)


def _entry(
    second: int,
    before: Status | None,
    after: tuple[Status | None, Reason | None],
    message: str,
) -> HistoryEntry:
    return HistoryEntry(
        at=PAST_BEGINS + timedelta(seconds=second),
        before=before,
        after=after[0],
        reason=after[1],
        message=message,
    )
