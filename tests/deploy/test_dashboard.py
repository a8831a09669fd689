"""The dashboard can be imported into any Grafana, and its panels do not overlap."""

from itertools import combinations

from tests.deploy.dashboard import DASHBOARD, PANELS, QUERIES


def test_each_panel_has_a_unique_id_a_title_and_a_description() -> None:
    """Grafana needs the ids; the texts are for people."""
    numbers = [panel["id"] for panel in DASHBOARD["panels"]]
    assert len(set(numbers)) == len(numbers)
    assert len({panel["title"] for panel in PANELS}) == len(PANELS) == len(QUERIES)
    assert all(panel["description"].endswith(".") for panel in PANELS)


def test_panels_neither_overlap_nor_exceed_the_page() -> None:
    """The page is 24 columns wide."""
    for one, other in combinations((panel["gridPos"] for panel in DASHBOARD["panels"]), 2):
        assert not (_overlap(one, other, "x", "w") and _overlap(one, other, "y", "h")), (one, other)
    for place in (panel["gridPos"] for panel in DASHBOARD["panels"]):
        assert 0 <= place["x"] < place["x"] + place["w"] <= 24


def test_each_panel_uses_the_selected_data_source() -> None:
    """The file contains no id of a particular Grafana."""
    chosen = {"type": "prometheus", "uid": "${datasource}"}
    assert all(panel["datasource"] == chosen for panel in PANELS)
    assert all(target["datasource"] == chosen for panel in PANELS for target in panel["targets"])
    assert DASHBOARD["templating"]["list"][0]["name"] == "datasource"
    assert DASHBOARD.get("id") is None


def _overlap(one: dict[str, int], other: dict[str, int], start: str, length: str) -> bool:
    return one[start] < other[start] + other[length] and other[start] < one[start] + one[length]
