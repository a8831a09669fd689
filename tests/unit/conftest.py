"""Hypothesis for the whole unit suite: moderate, and neither chance nor a clock decides.

The same examples in each run: the coverage of the domain does not depend on luck. `make fuzz`
looks for new ones.
"""

from hypothesis import HealthCheck, settings

settings.register_profile(
    "unit",
    max_examples=25,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("unit")
