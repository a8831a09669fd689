"""Tests of the checks of the way to DStack."""
