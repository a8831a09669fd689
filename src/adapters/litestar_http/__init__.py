"""The HTTP face, with Litestar: a plain ASGI application."""

from dstack_backend.adapters.litestar_http.application import HttpFace
from dstack_backend.adapters.litestar_http.handlers import handlers

__all__ = ["HttpFace", "handlers"]
