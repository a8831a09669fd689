"""The number of examples of the fuzz tests."""

import os

from hypothesis import HealthCheck, settings

__all__ = ["effort"]

FACTOR = float(os.environ.get("FUZZ_FACTOR", "1"))
"""Multiplies the examples of each test, and so its time: `make fuzz FACTOR=20` takes a night."""


def effort(examples: int, *, steps: int = 50) -> settings:
    """Return settings with other examples in each run. A failure prints how to reproduce it.

    Args:
        examples: The number of examples.
        steps: The number of steps of a state machine in each.
    """
    return settings(
        max_examples=max(1, round(examples * FACTOR)),
        stateful_step_count=steps,
        deadline=None,
        derandomize=False,
        print_blob=True,
        suppress_health_check=[HealthCheck.too_slow],  # the machine may be busy
    )
