"""Tests of `domain.gpu`."""
