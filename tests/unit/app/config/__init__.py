"""tests unit app config."""
