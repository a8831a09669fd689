"""Sends the log to standard error in the form and from the level that the operator asks for."""

import logging

from dstack_backend.adapters.stdlib_logging.formats import JsonFormatter, TextFormatter

__all__ = ["FORMATS", "LEVELS", "set_up_logging"]

LEVELS = ("debug", "info", "warning", "error")
FORMATS = {"text": TextFormatter, "json": JsonFormatter}


def set_up_logging(level: str, form: str) -> None:
    """Set up the root logger.

    The level is for our own loggers. Libraries speak from `warning` on: at `debug` httpcore would
    write DStack's address and the token.
    """
    handler = logging.StreamHandler()
    handler.setFormatter(FORMATS[form]())
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    logging.getLogger("dstack_backend").setLevel(level.upper())
