"""The Grafana dashboard: its panels and their queries."""

import json
from typing import Any

from tests.deploy.programs import DEPLOY

__all__ = ["DASHBOARD", "PANELS", "QUERIES", "filled_in", "links", "page_urls", "query_of"]

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

NODE = {"table": "${__data.fields.instance}"}
"""How the link of a table names the node of its row; see `page_urls` for other panels."""

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


def query_of(title: str) -> str:
    """Return the query of a panel, filled in."""
    (panel,) = [each for each in PANELS if each["title"] == title]
    return filled_in(panel["targets"][0]["expr"])


def links(panel: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the data links of a panel: of its series, or of the column with the nodes."""
    found = list(panel["fieldConfig"]["defaults"].get("links", []))
    for override in panel["fieldConfig"]["overrides"]:
        assert override["matcher"] == {"id": "byName", "options": "instance"}
        found += [link for each in override["properties"] for link in each["value"]]
    return found


def page_urls(panel: dict[str, Any], instance: str) -> list[str]:
    """Return the links of a panel for a node, with the default values of the variables."""
    defaults = {
        f"${{{each['name']}:raw}}": each["query"]
        for each in DASHBOARD["templating"]["list"]
        if each["type"] == "textbox"
    }
    node = NODE.get(panel["type"], "${__field.labels.instance}")
    urls = [each["url"] for each in links(panel)]
    for variable, value in {**defaults, node: instance}.items():
        assert all(variable in url for url in urls), (panel["title"], variable)
        urls = [url.replace(variable, value) for url in urls]
    assert "$" not in "".join(urls), urls
    return urls
