"""The Grafana dashboard: its panels and their queries."""

import json
from typing import Any

from tests.deploy.programs import DEPLOY

__all__ = ["DASHBOARD", "PANELS", "QUERIES", "filled_in"]

DASHBOARD: dict[str, Any] = json.loads((DEPLOY / "grafana" / "dstack-backend.json").read_text())
PANELS: list[dict[str, Any]] = [each for each in DASHBOARD["panels"] if each["type"] != "row"]


def _api_call(target: dict[str, Any]) -> str:
    """Return the name of the API call that Grafana makes."""
    return "query_range" if target["range"] else "query"


QUERIES = [
    (f"{panel['title']}-{target['refId']}", target["expr"], _api_call(target))
    for panel in PANELS
    for target in panel["targets"]
]

VALUES = {
    "$__rate_interval": "30s",
    "$__range": "1h",
    "$job": "dstack-backend",
    "$instance": ".*",
}


def filled_in(expression: str) -> str:
    """Replace Grafana's variables by values."""
    for variable, value in VALUES.items():
        expression = expression.replace(variable, value)
    assert "$" not in expression, expression
    return expression
