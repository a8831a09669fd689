"""Unit tests: the domain, and each adapter against fakes and canned bytes. No sleep, no network."""
