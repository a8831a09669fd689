"""Sets up the log: to standard error, with a format and a level."""

import logging

from dstack_backend.adapters.stdlib_logging.formats import JsonFormatter, TextFormatter

__all__ = ["set_up_logging"]

_FORMATS = {"text": TextFormatter, "json": JsonFormatter}


def set_up_logging(level: str, log_format: str) -> None:
    """Set up the root logger.

    The level is that of this package. Libraries log from `warning` on: at `debug` httpcore would
    log DStack's address and the token.
    """
    handler = logging.StreamHandler()
    handler.setFormatter(_FORMATS[log_format]())
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    logging.getLogger("dstack_backend").setLevel(level.upper())
