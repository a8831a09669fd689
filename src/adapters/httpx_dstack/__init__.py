"""DStack over HTTP, with httpx: TCP, TLS and unix sockets."""

from dstack_backend.adapters.httpx_dstack.address import DStackAddress, parse_address
from dstack_backend.adapters.httpx_dstack.credentials import (
    Basic,
    Bearer,
    Credentials,
    TokenFile,
    usable_token,
)
from dstack_backend.adapters.httpx_dstack.dstack import HttpxDStack, trust
from dstack_backend.adapters.httpx_dstack.presence import HeldConnection

__all__ = [
    "Basic",
    "Bearer",
    "Credentials",
    "DStackAddress",
    "HeldConnection",
    "HttpxDStack",
    "TokenFile",
    "parse_address",
    "trust",
    "usable_token",
]
