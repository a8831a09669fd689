"""The HTTP face, with Litestar: a plain ASGI application."""

from dstack_backend.adapters.litestar_http.application import HttpFace

__all__ = ["HttpFace"]
