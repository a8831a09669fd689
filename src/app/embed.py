"""The whole service around a source of the embedder's own."""

import inspect
from collections.abc import Sequence

from dstack_backend.app.config.settings import Settings
from dstack_backend.app.container import Container
from dstack_backend.app.identity import node_identity
from dstack_backend.app.monitoring.wakeup import NullWatcher
from dstack_backend.domain.backend_info import NodeIdentity
from dstack_backend.domain.ports import ConnectivityWatcher, GpuSource, Observer

__all__ = ["embed"]


def embed(  # noqa: PLR0913 - all but two have a default or are named by the caller
    source: GpuSource,
    settings: Settings,
    *,
    topic: str,
    name: str,
    watcher: ConnectivityWatcher | None = None,
    observers: Sequence[Observer] = (),
    service: str | None = None,
) -> Container:
    """Return the container of a service that checks `source`. Nothing is opened or called yet.

    Args:
        source: Returns the inventory.
        settings: As `load` returns them.
        topic: Topic of the backend, in `/health`.
        name: Name of the source for people, on the page and in the log.
        watcher: Reports when to check at once; by default nothing does.
        observers: Are called beside log, metrics and history.
        service: Name of the service in the log, at `GET /` and in the names of the metrics.

    Raises:
        TypeError: `source` is not an instance with `async def list_gpus(self)`.
        ValueError: `topic`, `name` or `service` is empty.
        UserError: The operator's key file cannot be used.
    """
    _validate_source(source)
    service = topic if service is None else service
    for parameter, text in {"topic": topic, "name": name, "service": service}.items():
        if not text.strip():
            raise ValueError(f"{parameter} must not be empty")
    container = Container(
        settings=settings,
        source=source,
        source_name=name,
        watcher=watcher or NullWatcher(),
        identity=node_identity(settings, NodeIdentity(topic=topic, source=name, service=service)),
    )
    container.observers.add_args(*observers)
    return container


def _validate_source(source: object) -> None:
    if isinstance(source, type):
        raise TypeError(f"source must be an instance, not the class {source.__name__}")
    name = type(source).__name__
    method = getattr(source, "list_gpus", None)
    if not callable(method):
        raise TypeError(f"{name} is not a source: it has no method list_gpus")
    if not inspect.iscoroutinefunction(inspect.unwrap(method)):
        raise TypeError(f"{name}.list_gpus must be async def")
