"""tests unit adapters httpx_dstack."""
