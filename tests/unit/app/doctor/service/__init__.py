"""Tests of the checks of the service itself."""
