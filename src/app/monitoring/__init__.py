"""src app monitoring."""
