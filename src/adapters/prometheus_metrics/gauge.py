"""A gauge with one sample."""

from prometheus_client.core import GaugeMetricFamily

__all__ = ["gauge"]


def gauge(name: str, text: str, value: float, **labels: str) -> GaugeMetricFamily:
    """Return a gauge with a value and its labels."""
    family = GaugeMetricFamily(name, text, labels=list(labels))
    family.add_metric(list(labels.values()), value)
    return family
