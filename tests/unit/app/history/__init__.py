"""Tests of the history in memory and its retention."""
