"""Tests of the test kit that need no server."""
