"""tests unit app."""
