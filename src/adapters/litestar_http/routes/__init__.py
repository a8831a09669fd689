"""src adapters litestar_http routes."""
