"""Tests of the rules about messages."""
