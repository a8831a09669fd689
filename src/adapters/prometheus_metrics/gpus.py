"""The metrics of GPUs, and of the slots that have series of their own."""

import re
from collections import Counter as Tally
from collections.abc import Iterable, Iterator, Mapping

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric

from dstack_backend.domain.check import Reason
from dstack_backend.domain.gpu import (
    KNOWN_MODELS,
    Gpu,
    GpuInventoryMetadata,
    GpuMetadata,
    GpuState,
    MissingGpu,
    TrackedGpu,
    is_pci_address,
)
from dstack_backend.domain.report import StatusReport
from dstack_backend.domain.status import Status

__all__ = ["GpuMetrics", "gauge"]

MAX_SLOTS = 64
"""Slots with series of their own: those that were listed first, as long as the process runs."""

OTHER = "other"
"""Label of a model that is not in `KNOWN_MODELS`, and of all GPUs without series of their own."""

STATES = ("free", "in_use", "missing")

_Known = TrackedGpu | MissingGpu

_PRODUCT_ID = re.compile(r"[0-9a-fA-F]{4}:[0-9a-fA-F]{4}")


class GpuMetrics:
    """Counts the time in use, and remembers the last state of the GPUs."""

    def __init__(self, namespace: str) -> None:
        """Start without GPUs. There are no series of GPUs before the first call of `update`."""
        self._prefix = f"{namespace}_"
        self._state: GpuState | None = None
        self._slots: set[str] = set()
        self._seconds: dict[str, list[float]] = {}  # in use, and known
        self._forgotten = 0
        self._used: Mapping[tuple[str, int], TrackedGpu] = {}
        self._tally: Tally[tuple[str, bool]] = Tally()  # of `_used`, by label and state

    def update(self, gpus: GpuState) -> None:
        """Add the time up to the last check, and remember the state."""
        before, self._state = self._state or GpuState(seen_at=gpus.seen_at), gpus
        if gpus.present is not before.present:
            known = {**before.present, **before.missing}
            for key in (*gpus.present, *gpus.missing):
                if key not in known:
                    self._add_slot(*key)
        self._forgotten += len(before.missing.keys() - gpus.missing.keys() - gpus.present.keys())
        if gpus.used is not self._used:
            self._used = gpus.used
            used = gpus.used.items()
            self._tally = Tally((self._label(*key), each.gpu.is_free) for key, each in used)
        for (label, is_free), count in self._tally.items():
            self._seconds[label][0] += 0.0 if is_free else count * gpus.counted
            self._seconds[label][1] += count * gpus.counted

    def collect(self, report: StatusReport) -> Iterator[Metric]:
        """Return the metrics for a scrape at the time of the report."""
        prefix, inventory, state = self._prefix, report.inventory, self._state
        if isinstance(inventory, GpuInventoryMetadata):
            text = "Number of GPUs; 0 where the source is online and lists none."
            yield gauge(f"{prefix}gpus_listed", text, inventory.gpu_count)
            yield self._models(inventory)
        if state is None:
            return
        text = "1 while GPUs are missing or none is listed, else 0."
        yield gauge(f"{prefix}degraded", text, state.is_degraded)
        text = "Number of GPUs that were lost and have not returned."
        yield gauge(f"{prefix}gpus_missing", text, len(state.missing))
        text = "Missing GPUs that were forgotten, by an operator or after 30 days."
        yield CounterMetricFamily(f"{prefix}gpus_forgotten", text, self._forgotten)
        is_current = _is_current(report)
        if is_current:
            text = "Number of devices that are listed but are no GPUs, such as NVSwitches."
            yield gauge(f"{prefix}other_devices", text, len(state.inventory.other_devices))
        # While the present is unknown, GPUs that were missing before still count as missing.
        shown: list[_Known] = list(state.missing.values())
        if is_current:
            shown += state.present.values()
        yield self._information(shown)
        yield self._states(shown)
        text = "Seconds in which the GPU in a slot was in use."
        yield self._counter("gpu_in_use_seconds", text, 0)
        text = "Seconds in which it is known whether the GPU in a slot was in use."
        yield self._counter("gpu_known_seconds", text, 1)

    def _add_slot(self, slot: str, number: int) -> None:
        if number == 0 and len(self._slots) < MAX_SLOTS and is_pci_address(slot):
            self._slots.add(slot)
        # A counter that starts at 0 lets a query see its first increase.
        self._seconds.setdefault(self._label(slot, number), [0.0, 0.0])

    def _label(self, slot: str, number: int) -> str:
        return slot if number == 0 and slot in self._slots else OTHER

    def _models(self, inventory: GpuInventoryMetadata) -> Metric:
        tally = Tally((_model(gpu), gpu.is_free) for gpu in inventory.gpus)
        name, labels = f"{self._prefix}gpus", ["model", "state"]
        family = GaugeMetricFamily(name, "GPUs by model and state.", labels=labels)
        for model in sorted({model for model, _ in tally}):
            family.add_metric([model, "free"], tally[model, True])
            family.add_metric([model, "in_use"], tally[model, False])
        return family

    def _information(self, shown: Iterable[_Known]) -> Metric:
        name, labels = f"{self._prefix}gpu_info", ["slot", "product_id", "model"]
        text = "The GPU in a slot; a missing one as it was last listed."
        family = GaugeMetricFamily(name, text, labels=labels)
        for each in shown:
            if (slot := self._label(each.gpu.slot, each.number)) != OTHER:
                product_id = each.gpu.product_id
                known = product_id if _PRODUCT_ID.fullmatch(product_id) else ""
                family.add_metric([slot, known, _model(each.gpu)], 1)
        return family

    def _states(self, shown: Iterable[_Known]) -> Metric:
        name, labels = f"{self._prefix}gpu_state", ["slot", "state"]
        text = "GPUs by slot and state: 1 for the state of the GPU in a slot, 0 for the others."
        family = GaugeMetricFamily(name, text, labels=labels)
        tally = Tally((self._label(each.gpu.slot, each.number), _state(each)) for each in shown)
        for slot in dict.fromkeys(slot for slot, _ in tally):
            for state in STATES:
                family.add_metric([slot, state], tally[slot, state])
        return family

    def _counter(self, name: str, text: str, column: int) -> Metric:
        family = CounterMetricFamily(f"{self._prefix}{name}", text, labels=["slot"])
        for slot, seconds in self._seconds.items():
            family.add_metric([slot], seconds[column])
        return family


def gauge(name: str, text: str, value: float, **labels: str) -> GaugeMetricFamily:
    """Return a gauge with one value and its labels."""
    family = GaugeMetricFamily(name, text, labels=list(labels))
    family.add_metric(list(labels.values()), value)
    return family


def _is_current(report: StatusReport) -> bool:
    """Return whether the last known GPUs hold: also if they are too few to be available."""
    if report.status is Status.AVAILABLE:
        return True
    last = report.last_check
    return last is not None and last.reason is None and report.reason is not Reason.STALE


def _model(gpu: Gpu | GpuMetadata) -> str:
    return gpu.model if gpu.model in KNOWN_MODELS else OTHER


def _state(each: _Known) -> str:
    if isinstance(each, MissingGpu):
        return "missing"
    return "free" if each.gpu.is_free else "in_use"
