"""DStack over HTTP, with httpx and its transport httpcore: TCP, TLS and unix sockets."""

from dstack_backend.adapters.httpx_dstack.address import DStackAddress, parse_address
from dstack_backend.adapters.httpx_dstack.credentials import (
    Basic,
    Bearer,
    Credentials,
    TokenFile,
    usable_token,
)
from dstack_backend.adapters.httpx_dstack.dstack import HttpxDStack, ssl_context, ssl_contexts
from dstack_backend.adapters.httpx_dstack.watcher import ConnectionWatcher

__all__ = [
    "Basic",
    "Bearer",
    "ConnectionWatcher",
    "Credentials",
    "DStackAddress",
    "HttpxDStack",
    "TokenFile",
    "parse_address",
    "ssl_context",
    "ssl_contexts",
    "usable_token",
]
