"""Open descriptors of this process."""

from pathlib import Path

__all__ = ["open_descriptors"]


def open_descriptors() -> int:
    """Return how many descriptors are open."""
    return sum(1 for _ in Path("/dev/fd").iterdir())
