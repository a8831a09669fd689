"""Wheel, sdist, installs and lock files."""
