"""tests unit adapters litestar_http."""
