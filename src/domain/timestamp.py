"""A reading of the monotonic and the wall clock at the same moment."""

from datetime import UTC, datetime, timedelta

from msgspec import Struct

__all__ = ["MIN_VALID_TIME", "Timestamp"]

MIN_VALID_TIME = datetime(2025, 1, 1, tzinfo=UTC)
"""Older than any installation of this service: a clock that shows an earlier time is not set."""


class Timestamp(Struct, frozen=True, gc=False):
    """When something happened. Ages are computed from `monotonic`; `utc` is for display only.

    Attributes:
        monotonic: Seconds on a clock that is never set. Only differences have a meaning.
        utc: The time of the wall clock, with its zone. It may be wrong and may jump.
    """

    monotonic: float
    utc: datetime

    def __add__(self, seconds: float) -> "Timestamp":
        """Return the timestamp that many seconds later."""
        return Timestamp(self.monotonic + seconds, self.utc + timedelta(seconds=seconds))
