"""The composition root: the only place where adapters are built and tied to the app.

A test brings its own in the place of any provider; for another backend `embed` does it:

    Container(settings=settings, dstack=FakeDStack(), presence=FakePresence(), clock=FakeClock())
"""

from collections.abc import Sequence

from dependency_injector import containers, providers

from dstack_backend.adapters.httpx_dstack import ConnectionWatcher, HttpxDStack
from dstack_backend.adapters.litestar_http import HealthApp
from dstack_backend.adapters.prometheus_metrics import PrometheusMetrics
from dstack_backend.adapters.stdlib_logging import LogObserver
from dstack_backend.adapters.system_clock import SystemClock
from dstack_backend.app.config.settings import Settings
from dstack_backend.app.history.open import opener
from dstack_backend.app.history.past import RecordedPast
from dstack_backend.app.history.recorder import Recorder
from dstack_backend.app.history.unwritten import Unwritten
from dstack_backend.app.history.writer import HistoryWriter
from dstack_backend.app.identity import identity_of
from dstack_backend.app.monitoring.monitor import Monitor
from dstack_backend.app.monitoring.notifier import Notifier
from dstack_backend.app.server.lifespan import make_lifespan
from dstack_backend.domain.ports import Observer

__all__ = ["Container"]


def _all(*ours: Observer, more: Sequence[Observer]) -> list[Observer]:
    return [*ours, *more]


class Container(containers.DeclarativeContainer):
    """One of each, made when it is first asked for. Lifetimes belong to Litestar's lifespan."""

    settings = providers.Dependency(instance_of=Settings)
    identity = providers.Singleton(identity_of, settings)
    clock = providers.Singleton(SystemClock)
    dstack = providers.Singleton(
        HttpxDStack,
        settings.provided.dstack,
        timeout=settings.provided.policy.timeout,
        credentials=settings.provided.credentials,
        tls=settings.provided.tls,
    )
    watcher = providers.Singleton(
        ConnectionWatcher, settings.provided.dstack, timeout=settings.provided.policy.timeout
    )
    log = providers.Singleton(LogObserver)
    metrics = providers.Singleton(PrometheusMetrics)
    open_history = providers.Singleton(opener, settings.provided.history_folder)
    unwritten = providers.Singleton(Unwritten)
    history_writer = providers.Singleton(
        HistoryWriter, open_history, unwritten, settings.provided.history_retention
    )
    recorder = providers.Singleton(Recorder, history_writer, unwritten, clock)
    past = providers.Singleton(RecordedPast, history_writer, unwritten, clock)
    news = providers.Singleton(Notifier)
    more_observers = providers.Object[Sequence[Observer]](())
    observers = providers.Callable(_all, log, metrics, recorder, news, more=more_observers)
    monitor = providers.Singleton(
        Monitor,
        dstack=dstack,
        clock=clock,
        policy=settings.provided.policy,
        identity=identity,
        observers=observers,
        watcher=watcher,
    )
    lifespan = providers.Singleton(make_lifespan, monitor=monitor, clock=clock, recorder=recorder)
    http_app = providers.Singleton(
        HealthApp,
        health=monitor,
        exposition=metrics.provided.render,
        lifespan=lifespan,
        past=past,
        news=news,
        source=identity.provided.source,
    )
