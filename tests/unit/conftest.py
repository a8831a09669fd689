"""Hypothesis for the whole unit suite: moderate, and no clock decides whether a test passes."""

from hypothesis import settings

settings.register_profile("unit", max_examples=25, deadline=None)
settings.load_profile("unit")
