"""Tests of the image, in docker."""
