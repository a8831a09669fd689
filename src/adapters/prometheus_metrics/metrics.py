"""The counters, the gauges of the status, and the exposition of all metrics."""

import platform
import re
from collections.abc import Callable, Iterator

from prometheus_client import CollectorRegistry, Counter, Histogram, ProcessCollector
from prometheus_client.core import CounterMetricFamily
from prometheus_client.exposition import generate_latest
from prometheus_client.metrics_core import Metric
from prometheus_client.openmetrics import exposition as openmetrics_text
from prometheus_client.registry import Collector

from dstack_backend import __version__
from dstack_backend.adapters.prometheus_metrics.gpus import GpuMetrics, gauge
from dstack_backend.domain.check import Check, Reason
from dstack_backend.domain.gpu import GpuState
from dstack_backend.domain.report import StatusReport
from dstack_backend.domain.requests import HealthRequestReport
from dstack_backend.domain.status import Change, Status

__all__ = ["PrometheusMetrics"]

BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
"""Seconds: lspci takes tens to hundreds of milliseconds, the default timeout is 5 s."""


class PrometheusMetrics:
    """Observes the monitor, and renders the metrics."""

    def __init__(
        self,
        namespace: str = "dstack-backend",
        lost_log_lines: Callable[[], int] = int,
        health_requests: Callable[[], HealthRequestReport] | None = None,
    ) -> None:
        """Create the counters in a registry of their own.

        The names of the metrics start with `namespace`, usually the name of the service. Other
        characters in it than letters and digits become `_`. `lost_log_lines` returns how many
        lines of the log were lost, by default 0. `health_requests` reports the requests of
        `/health`; by default there are no metrics of them.
        """
        self._lost_log_lines = lost_log_lines
        self._health_requests = health_requests
        self._namespace = re.sub(r"[^a-zA-Z0-9]", "_", namespace)
        self._registry = CollectorRegistry()
        self._gpus = GpuMetrics(self._namespace)
        self._checks = Counter(
            f"{self._namespace}_checks",
            "Finished checks by result, and by reason where they failed.",
            ("result", "reason"),
            registry=self._registry,
        )
        self._duration = Histogram(
            f"{self._namespace}_check_duration_seconds",
            "Duration of checks, whatever their result.",
            buckets=BUCKETS,
            registry=self._registry,
        )
        self._changes = Counter(
            f"{self._namespace}_status_changes",
            "How often the status changed.",
            registry=self._registry,
        )
        # A counter that starts at 0 lets an alert see its first increase.
        self._checks.labels("success", "")
        for reason in (each for each in Reason if each.is_conclusive):
            self._checks.labels("failure", reason)
        ProcessCollector(registry=self._registry)

    def on_check(self, check: Check) -> None:
        """Count a check."""
        failure = check.failure
        labels = ("failure", failure.reason) if failure else ("success", "")
        self._checks.labels(*labels).inc()
        self._duration.observe(check.duration)

    def on_change(self, change: Change) -> None:
        """Count a change of the status."""
        if change.is_transition:
            self._changes.inc()

    def on_gpus(self, gpus: GpuState) -> None:
        """Count the time in use, and remember the state for the next scrape."""
        self._gpus.update(gpus)

    def render(self, report: StatusReport, *, openmetrics: bool = False) -> bytes:
        """Return the text format or OpenMetrics, for a scrape at the time of the report."""
        encode = openmetrics_text.generate_latest if openmetrics else generate_latest
        return encode(_Scrape(self._collect(report)))

    def _collect(self, report: StatusReport) -> Iterator[Metric]:
        for metric in self._registry.collect():
            # Prometheus does not need creation times, and they double the text.
            metric.samples = [each for each in metric.samples if not each.name.endswith("_created")]
            if metric.samples:
                yield metric
        prefix = f"{self._namespace}_"
        is_up = report.status is Status.AVAILABLE
        yield gauge(f"{prefix}up", "1 while the node is available.", is_up)
        text = "Version of the service and of Python."
        python = platform.python_version()
        yield gauge(f"{prefix}build_info", text, 1.0, version=__version__, python=python)
        text = "Lines of the log that were lost, because it was not read or could not be written."
        yield CounterMetricFamily(f"{prefix}log_lines_lost", text, self._lost_log_lines())
        if reason := report.reason:
            text = "Why the node is unavailable: the code, and its general message."
            labels = {"reason": reason, "message": reason.summary}
            yield gauge(f"{prefix}unavailable_reason", text, 1.0, **labels)
        if report.last_success:
            text = "When a check last returned an inventory."
            seconds = report.last_success.timestamp()
            yield gauge(f"{prefix}last_success_timestamp_seconds", text, seconds)
        if report.last_check:
            text = "Seconds since a check finished, whatever its result."
            yield gauge(f"{prefix}last_check_age_seconds", text, report.last_check.age_seconds)
        yield from self._collect_requests()
        yield from self._gpus.collect(report)

    def _collect_requests(self) -> Iterator[Metric]:
        if self._health_requests is None:
            return
        requests, name = self._health_requests(), f"{self._namespace}_health"
        text = "Requests of /health since the start, without those of browsers."
        yield CounterMetricFamily(f"{name}_requests", text, requests.count)
        if requests.last_age_seconds is not None:
            text = "Seconds since the last of these requests."
            yield gauge(f"{name}_last_request_age_seconds", text, requests.last_age_seconds)


class _Scrape(Collector):
    """What `generate_latest` reads: the metrics of one scrape."""

    def __init__(self, metrics: Iterator[Metric]) -> None:
        self._metrics = metrics

    def collect(self) -> Iterator[Metric]:
        return self._metrics
