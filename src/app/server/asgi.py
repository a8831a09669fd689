"""For other ASGI servers: `uvicorn --factory dstack_backend.app.server.asgi:create_app`."""

import os

from dstack_backend.adapters.litestar_http import HealthApp
from dstack_backend.adapters.stdlib_logging import set_up_logging
from dstack_backend.app.config.settings import load, load_dstack
from dstack_backend.app.container import Container

__all__ = ["create_app"]


def create_app() -> HealthApp:
    """Make the application from the environment's settings, and set up the log.

    Raises:
        UserError: A setting cannot be used.
    """
    settings = load(os.environ, {})
    set_up_logging(settings.log_level, settings.log_format)
    return Container(settings=settings, dstack_settings=load_dstack(os.environ, {})).http_app()
