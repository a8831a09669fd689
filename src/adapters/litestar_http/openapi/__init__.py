"""src adapters litestar_http openapi."""
