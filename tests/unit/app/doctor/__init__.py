"""tests unit app doctor."""
