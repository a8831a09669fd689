"""Tests of `dstack_backend.app.server`."""
