"""Tests of `simulate` and `demo`."""
