"""The log, with the standard library: as text or as JSON."""

from dstack_backend.adapters.stdlib_logging.formats import JsonFormatter, TextFormatter, place
from dstack_backend.adapters.stdlib_logging.observer import LogObserver
from dstack_backend.adapters.stdlib_logging.setup import set_up_logging

__all__ = ["JsonFormatter", "LogObserver", "TextFormatter", "place", "set_up_logging"]
