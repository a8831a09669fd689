"""The composition root: the only place where adapters are created and connected to the app.

A keyword argument replaces a provider; another backend uses `embed`:

    Container(settings=settings, source=FakeGpuSource(), watcher=FakeWatcher(), clock=FakeClock())
"""

from collections.abc import Sequence

from dependency_injector import containers, providers

from dstack_backend.adapters.asyncio_notifier import Notifier
from dstack_backend.adapters.granian_server import max_connections
from dstack_backend.adapters.httpx_dstack import ConnectionWatcher, HttpxDStack
from dstack_backend.adapters.litestar_http import HealthApp
from dstack_backend.adapters.log_observer import LogObserver
from dstack_backend.adapters.prometheus_metrics import PrometheusMetrics
from dstack_backend.adapters.stdlib_logging import lost_log_lines
from dstack_backend.adapters.system_clock import SystemClock
from dstack_backend.adapters.systemd_notify import notify_systemd
from dstack_backend.app.config.settings import DStackSettings, Settings
from dstack_backend.app.history.log import HistoryLog
from dstack_backend.app.history.open import opener
from dstack_backend.app.identity import node_identity
from dstack_backend.app.monitoring.monitor import Monitor
from dstack_backend.app.notify.open import open_notifications
from dstack_backend.app.server.lifespan import make_lifespan
from dstack_backend.domain.ports import Observer
from dstack_backend.domain.requests import HealthRequests

__all__ = ["Container"]


def _observers(*given: Observer | None) -> Sequence[Observer]:
    return [each for each in given if each]


class Container(containers.DeclarativeContainer):
    """One instance of each object, created on first use. Nothing runs before the lifespan does."""

    settings = providers.Dependency(instance_of=Settings)
    dstack_settings = providers.Dependency(instance_of=DStackSettings)
    identity = providers.Singleton(node_identity, settings)
    clock = providers.Singleton(SystemClock)
    source = providers.Singleton(
        HttpxDStack,
        dstack_settings.provided.address,
        timeout=settings.provided.policy.timeout,
        credentials=dstack_settings.provided.credentials,
        tls=dstack_settings.provided.tls,
    )
    source_name = providers.Callable("DStack at {}".format, dstack_settings.provided.address.shown)
    watcher = providers.Singleton(
        ConnectionWatcher,
        dstack_settings.provided.address,
        timeout=settings.provided.policy.timeout,
    )
    log_observer = providers.Singleton(LogObserver)
    health_requests = providers.Singleton(HealthRequests, clock.provided.monotonic)
    metrics = providers.Singleton(
        PrometheusMetrics,
        namespace=identity.provided.service,
        lost_log_lines=lost_log_lines,
        health_requests=health_requests.provided.report,
    )
    open_history = providers.Singleton(opener, settings.provided.history_folder)
    history = providers.Singleton(
        HistoryLog, open_history, settings.provided.history_retention, clock
    )
    notifier = providers.Singleton(Notifier)
    notifications = providers.Singleton(open_notifications, settings, identity, clock)
    observers = providers.Callable(
        _observers, log_observer, metrics, history, notifier, notifications
    )
    monitor = providers.Singleton(
        Monitor,
        source=source,
        clock=clock,
        policy=settings.provided.policy,
        identity=identity,
        observers=observers,
        watcher=watcher,
    )
    max_connections = providers.Singleton(max_connections)
    notify_systemd = providers.Object(notify_systemd)
    lifespan = providers.Singleton(
        make_lifespan,
        monitor=monitor,
        clock=clock,
        history=history,
        notify_systemd=notify_systemd,
        notifications=notifications,
    )
    http_app = providers.Singleton(
        HealthApp,
        health=monitor,
        exposition=metrics.provided.render,
        lifespan=lifespan,
        history=history,
        notifier=notifier,
        identity=identity,
        requests=health_requests,
        max_connections=max_connections,
    )
