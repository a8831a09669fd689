"""tests unit app history."""
