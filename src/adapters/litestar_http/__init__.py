"""The HTTP face, with Litestar: a plain ASGI application."""

from dstack_backend.adapters.litestar_http.application import HealthApp
from dstack_backend.adapters.litestar_http.routes.handlers import handlers

__all__ = ["HealthApp", "handlers"]
