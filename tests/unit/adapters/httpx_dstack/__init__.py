"""Tests of the DStack adapter."""
