"""tests unit app simulate."""
