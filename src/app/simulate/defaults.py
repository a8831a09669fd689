"""Defaults of `demo`, without an import that is slow: `demo --help` shows them."""

__all__ = ["DEFAULTS"]

DEFAULTS = {"LISTEN_ADDR": "127.0.0.1:8080", "CHECK_INTERVAL": "2", "HISTORY": "off"}
"""By variable. Only this machine can connect, changes show soon, and no file is written."""
