"""Timestamps."""

from datetime import timedelta

from dstack_backend.domain import Timestamp
from dstack_backend.testing.fakes import EPOCH


def test_seconds_are_added_to_both_clocks() -> None:
    """Fractions of a second and negative seconds are allowed."""
    later = Timestamp(1000.0, EPOCH) + 1.5
    assert later == Timestamp(1001.5, EPOCH + timedelta(seconds=1.5))
    assert later + -1.5 == Timestamp(1000.0, EPOCH)
