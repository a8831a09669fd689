"""`serve`: the service, until a signal ends it."""

from collections.abc import Mapping
from typing import NoReturn

from dstack_backend.app.config.settings import load, load_dstack

__all__ = ["run"]


def run(environ: Mapping[str, str], options: Mapping[str, str]) -> NoReturn:
    """Serve, once the settings are known to be good."""
    settings = load(environ, options)
    from dstack_backend.app.container import Container  # noqa: PLC0415 - slow
    from dstack_backend.app.server import serve  # noqa: PLC0415 - slow

    serve.run(Container(settings=settings, dstack_settings=load_dstack(environ, options)))
