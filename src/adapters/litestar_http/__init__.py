"""The HTTP API and the node's page, with Litestar: a plain ASGI application."""

from dstack_backend.adapters.litestar_http.app import HealthApp
from dstack_backend.adapters.litestar_http.routes import handlers

__all__ = ["HealthApp", "handlers"]
