"""Tests of the notifier that need no server."""
