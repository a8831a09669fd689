"""src app history."""
