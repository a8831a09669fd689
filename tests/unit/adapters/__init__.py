"""tests unit adapters."""
