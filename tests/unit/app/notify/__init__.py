"""Tests of messages and of sending them."""
