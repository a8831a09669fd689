"""The whole service around another source of GPUs, for backends that embed it."""

from collections.abc import Sequence

from dstack_backend.app.config.settings import Settings
from dstack_backend.app.container import Container
from dstack_backend.app.identity import node_identity
from dstack_backend.app.monitoring.wakeup import NullWatcher
from dstack_backend.domain.ports import ConnectivityWatcher, GpuSource, Observer

__all__ = ["embed"]


def embed(
    source: GpuSource,
    settings: Settings,
    *,
    topic: str,
    name: str,
    watcher: ConnectivityWatcher | None = None,
    observers: Sequence[Observer] = (),
) -> Container:
    """Put a source of GPUs in DStack's place; nothing is opened and nobody is asked yet.

    Args:
        source: What is asked for the GPUs.
        settings: What `load` gives. Those for DStack are without effect.
        topic: What the backend reports on, in `/health`.
        name: What people call the source, on the page.
        presence: What gives hints to check; by default nothing does.
        observers: Who is told of checks and changes, besides log, metrics and history.

    Raises:
        UserError: The operator's key file cannot be used.
    """
    return Container(
        settings=settings,
        source=source,
        source_name=name,
        watcher=watcher or NullWatcher(),
        identity=node_identity(settings, topic=topic, source=name),
        more_observers=tuple(observers),
    )
