"""Tests of the HTTP adapter's routes."""
