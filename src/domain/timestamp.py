"""A reading of both clocks at once."""

from datetime import datetime, timedelta

from msgspec import Struct

__all__ = ["Timestamp"]


class Timestamp(Struct, frozen=True, gc=False):
    """When something was. Ages come from `monotonic`; `utc` is for showing only.

    Attributes:
        monotonic: Seconds on a clock that is never set, from an origin without a meaning.
        utc: The wall clock's time, with its zone. It may be wrong and may jump.
    """

    monotonic: float
    utc: datetime

    def __add__(self, seconds: float) -> "Timestamp":
        """The moment that many seconds later."""
        return Timestamp(self.monotonic + seconds, self.utc + timedelta(seconds=seconds))
