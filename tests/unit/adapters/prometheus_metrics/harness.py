"""Scrapes: what a node's metrics are after some checks."""

from collections.abc import Iterable, Mapping

from prometheus_client.metrics_core import Metric
from prometheus_client.openmetrics.parser import (
    text_string_to_metric_families as openmetrics_families,
)
from prometheus_client.parser import text_string_to_metric_families

from dstack_backend.adapters.prometheus_metrics import PrometheusMetrics
from dstack_backend.domain import Check, CheckPolicy, CheckResult, Gpu, GpuInventory, Timestamp
from dstack_backend.domain.gpu import GpuState
from dstack_backend.domain.monitor import MonitorState, observe
from dstack_backend.domain.report import StatusReport, report
from dstack_backend.testing.fakes import EPOCH, FakeHealth

__all__ = ["H200", "Labels", "Node", "labels", "samples", "values"]

H200 = Gpu(slot="3b:00.0", product_id="10de:2335", description="NVIDIA", is_free=True)

Labels = frozenset[tuple[str, str]]


def labels(**pairs: str) -> Labels:
    """Return labels as a key."""
    return frozenset(pairs.items())


def samples(
    result: CheckResult | None, metrics: PrometheusMetrics | None = None
) -> Mapping[tuple[str, Labels], float]:
    """Return all samples of a scrape after a check with this result."""
    return _scrape(metrics or PrometheusMetrics(), FakeHealth(result).report())


def values(
    name: str, result: CheckResult | None, metrics: PrometheusMetrics | None = None
) -> dict[Labels, float]:
    """Return the samples of one name, by their labels."""
    return _named(name, samples(result, metrics))


def _scrape(metrics: PrometheusMetrics, status: StatusReport) -> dict[tuple[str, Labels], float]:
    """Return the samples, which are the same in both formats."""
    found = _samples(text_string_to_metric_families(metrics.render(status).decode()))
    text = metrics.render(status, openmetrics=True).decode()
    other = _samples(openmetrics_families(text))
    assert found.keys() == other.keys()
    # The process itself changes from scrape to scrape.
    assert not [key for key in found if found[key] != other[key] and key[0][:8] != "process_"]
    return found


def _samples(parsed: Iterable[Metric]) -> dict[tuple[str, Labels], float]:
    families = list(parsed)
    pairs = [
        ((sample.name, frozenset(sample.labels.items())), sample.value)
        for family in families
        for sample in family.samples
    ]
    found = dict(pairs)
    # Prometheus rejects a whole scrape with a sample twice.
    assert len(found) == len(pairs)
    assert len({family.name for family in families}) == len(families)
    return found


def _named(name: str, found: Mapping[tuple[str, Labels], float]) -> dict[Labels, float]:
    return {pairs: value for (each, pairs), value in found.items() if each == name}


class Node:
    """A node whose checks are 10 s apart, and its metrics."""

    def __init__(self, policy: CheckPolicy | None = None) -> None:
        """Make no check yet."""
        self.metrics = PrometheusMetrics()
        self._policy = policy or CheckPolicy()
        self._now = Timestamp(1000.0, EPOCH)
        self._state = MonitorState(since=self._now)

    def check(self, *results: CheckResult) -> None:
        """Make a check with each result, and call the metrics as the monitor does."""
        for result in results:
            self._now = self._now + 10.0
            check = Check(result=result, started=self._now.monotonic - 0.25, finished=self._now)
            self._state = observe(self._state, check, self._policy)
            self.metrics.on_check(check)
            if self._state.gpus and check.failure is None:
                self.metrics.on_gpus(self._state.gpus)

    def list_gpus(self, *gpus: Gpu, times: int = 1) -> None:
        """Make checks that list these GPUs."""
        self.check(*[GpuInventory.from_devices(gpus)] * times)

    @property
    def gpus(self) -> GpuState:
        """What is known of the GPUs."""
        assert self._state.gpus
        return self._state.gpus

    def scrape(self, after: float = 1.0) -> dict[tuple[str, Labels], float]:
        """Return all samples of a scrape so many seconds after the last check."""
        now = self._now.monotonic + after
        return _scrape(self.metrics, report(self._state, now, self._policy))

    def values(self, name: str, after: float = 1.0) -> dict[Labels, float]:
        """Return the samples of one name without the prefix, by their labels."""
        return _named(f"dstack_backend_{name}", self.scrape(after))

    def states(self, after: float = 1.0) -> dict[str, dict[str, float]]:
        """Return how many GPUs are in each state, by slot; states with none are left out."""
        found: dict[str, dict[str, float]] = {}
        for pairs, value in self.values("gpu_state", after).items():
            each = dict(pairs)
            found.setdefault(each["slot"], {})[each["state"]] = value
        for slot, states in found.items():
            assert states.keys() == {"free", "in_use", "missing"}
            assert slot == "other" or sorted(states.values()) == [0, 0, 1]
        return {slot: {name: n for name, n in each.items() if n} for slot, each in found.items()}
