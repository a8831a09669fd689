"""tests unit testing."""
