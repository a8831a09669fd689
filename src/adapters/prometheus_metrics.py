"""What happened and what holds, in Prometheus's words.

Every label value comes from a closed set (reasons, the model table, two states), so that no answer
of a source of GPUs can make series without end. What may be unknown is made at the scrape and is
absent while it is unknown: a frozen number would be a lie.
"""

import platform
from collections import Counter as Tally
from collections.abc import Iterator

from prometheus_client import CollectorRegistry, Counter, Histogram, ProcessCollector
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.exposition import generate_latest
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from dstack_backend import __version__
from dstack_backend.domain.check import Check, Reason
from dstack_backend.domain.gpu import KNOWN_MODELS, GpuInventoryMetadata
from dstack_backend.domain.report import StatusReport
from dstack_backend.domain.status import Change, Status

__all__ = ["PrometheusMetrics"]

BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
"""Seconds: lspci takes tens to hundreds of milliseconds, the default timeout is 5 s."""

OTHER_MODEL = "other"
"""A model that is not in our table; its name would be the source's text."""


class PrometheusMetrics:
    """Observes the monitor, and renders what a scrape asks for."""

    def __init__(self) -> None:
        """Begin with empty counters, in a registry of its own."""
        self._registry = CollectorRegistry()
        self._checks = Counter(
            "dstack_backend_checks",
            "Finished checks by result, and by reason where they failed.",
            ("result", "reason"),
            registry=self._registry,
        )
        self._duration = Histogram(
            "dstack_backend_check_duration_seconds",
            "How long checks took, whatever they brought.",
            buckets=BUCKETS,
            registry=self._registry,
        )
        self._changes = Counter(
            "dstack_backend_status_changes",
            "How often the status turned.",
            registry=self._registry,
        )
        # A counter that begins at 0 lets an alert see its first increase.
        self._checks.labels("success", "")
        for reason in Reason:
            if reason not in (Reason.STARTING, Reason.STALE):
                self._checks.labels("failure", reason)
        ProcessCollector(registry=self._registry)

    def on_check(self, check: Check) -> None:
        """Count a check."""
        if check.failure:
            self._checks.labels("failure", check.failure.reason).inc()
        else:
            self._checks.labels("success", "").inc()
        self._duration.observe(check.duration)

    def on_change(self, change: Change) -> None:
        """Count a turn of the status."""
        if change.is_transition:
            self._changes.inc()

    def render(self, report: StatusReport) -> bytes:
        """Give the exposition, for a scrape at the moment of the report."""
        return generate_latest(_Scrape(self._registry, report))


class _Scrape(Collector):
    """What was counted, then what is true at the moment of the scrape."""

    def __init__(self, counted: CollectorRegistry, report: StatusReport) -> None:
        self._counted = counted
        self._report = report

    def collect(self) -> Iterator[Metric]:
        for metric in self._counted.collect():
            # When a counter was made is of no use to Prometheus, and doubles the page.
            metric.samples = [each for each in metric.samples if not each.name.endswith("_created")]
            if metric.samples:
                yield metric
        report = self._report
        available = report.status is Status.AVAILABLE
        yield GaugeMetricFamily(
            "dstack_backend_up", "1 while the node is available.", value=float(available)
        )
        yield _labelled(
            "dstack_backend_build_info",
            "Version of this service and of its Python.",
            {"version": __version__, "python": platform.python_version()},
        )
        if report.reason:
            yield _labelled(
                "dstack_backend_unavailable_reason",
                "Why the node is unavailable: the code, and the sentence that goes with it.",
                {"reason": report.reason, "message": report.reason.summary},
            )
        if report.last_success:
            yield GaugeMetricFamily(
                "dstack_backend_last_success_timestamp_seconds",
                "When a check last brought an inventory.",
                value=report.last_success.timestamp(),
            )
        if report.last_check:
            yield GaugeMetricFamily(
                "dstack_backend_last_check_age_seconds",
                "Seconds since a check finished, whatever it brought.",
                value=report.last_check.age_seconds,
            )
        if isinstance(report.inventory, GpuInventoryMetadata):
            yield GaugeMetricFamily(
                "dstack_backend_gpu_count",
                "GPUs in all; 0 where their source is online and lists none.",
                value=report.inventory.gpu_count,
            )
            yield _gpus(report.inventory)


def _labelled(name: str, text: str, labels: dict[str, str]) -> Metric:
    family = GaugeMetricFamily(name, text, labels=list(labels))
    family.add_metric(list(labels.values()), 1.0)
    return family


def _gpus(inventory: GpuInventoryMetadata) -> Metric:
    tally = Tally(
        (gpu.model if gpu.model in KNOWN_MODELS else OTHER_MODEL, gpu.is_free)
        for gpu in inventory.gpus
    )
    family = GaugeMetricFamily(
        "dstack_backend_gpus", "GPUs by model and state.", labels=["model", "state"]
    )
    for model in sorted({model for model, _ in tally if model}):
        family.add_metric([model, "free"], tally[model, True])
        family.add_metric([model, "in_use"], tally[model, False])
    return family
