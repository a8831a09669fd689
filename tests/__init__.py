"""Tests of the package, seen from outside."""
