"""How many examples each fuzz test tries."""

import os

from hypothesis import HealthCheck, settings

__all__ = ["effort"]

FACTOR = float(os.environ.get("FUZZ_FACTOR", "1"))
"""Multiplies the examples of each test, and so the time: `make fuzz FACTOR=20` for a night."""


def effort(examples: int, *, steps: int = 50) -> settings:
    """Give Hypothesis's settings: other examples each time, and what reproduces a failure.

    Args:
        examples: How many examples.
        steps: How many steps a state machine takes in each.
    """
    return settings(
        max_examples=max(1, round(examples * FACTOR)),
        stateful_step_count=steps,
        deadline=None,
        derandomize=False,
        print_blob=True,
        suppress_health_check=[HealthCheck.too_slow],  # the machine may be busy
    )
