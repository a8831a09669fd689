"""Tests of the history's entries, gaps and uptime."""
