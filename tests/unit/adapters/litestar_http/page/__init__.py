"""Tests of the node's page."""
