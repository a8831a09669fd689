"""src domain history."""
