"""Tests of the page in a real browser: `make browser-tests`."""
