"""tests unit app monitoring."""
