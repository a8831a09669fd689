"""Suites over every implementation of a port, and tests over real servers and processes."""
