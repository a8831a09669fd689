"""Metrics for Prometheus.

Every label value is from a closed set (reasons, the table of models, states) or has a fixed form
and a bounded number (slots, product ids), so that no source can create an unbounded number of
series. Values that may be unknown are computed at the scrape and absent while unknown: an old value
would be wrong.
"""

from dstack_backend.adapters.prometheus_metrics.metrics import PrometheusMetrics

__all__ = ["PrometheusMetrics"]
