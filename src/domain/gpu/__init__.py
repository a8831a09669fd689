"""src domain gpu."""
