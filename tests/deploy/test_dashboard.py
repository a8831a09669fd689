"""The dashboard as a document: it loads into any Grafana, and its panels lie side by side."""

from itertools import combinations

from tests.deploy.dashboard import DASHBOARD, PANELS, QUERIES


def test_panels_have_numbers_titles_and_words_of_their_own() -> None:
    """Grafana needs the numbers, people the rest."""
    numbers = [panel["id"] for panel in DASHBOARD["panels"]]
    assert len(set(numbers)) == len(numbers)
    assert len({panel["title"] for panel in PANELS}) == len(PANELS) == len(QUERIES)
    assert all(panel["description"].endswith(".") for panel in PANELS)


def test_no_two_panels_lie_on_each_other_and_none_leaves_the_page() -> None:
    """The page is 24 columns wide."""
    for one, other in combinations((panel["gridPos"] for panel in DASHBOARD["panels"]), 2):
        assert not (_meet(one, other, "x", "w") and _meet(one, other, "y", "h")), (one, other)
    for place in (panel["gridPos"] for panel in DASHBOARD["panels"]):
        assert 0 <= place["x"] < place["x"] + place["w"] <= 24


def test_it_asks_the_prometheus_that_is_chosen_and_no_other() -> None:
    """No number of somebody's own Grafana is in it."""
    chosen = {"type": "prometheus", "uid": "${datasource}"}
    assert all(panel["datasource"] == chosen for panel in PANELS)
    assert all(target["datasource"] == chosen for panel in PANELS for target in panel["targets"])
    assert DASHBOARD["templating"]["list"][0]["name"] == "datasource"
    assert DASHBOARD.get("id") is None


def _meet(one: dict[str, int], other: dict[str, int], start: str, length: str) -> bool:
    return one[start] < other[start] + other[length] and other[start] < one[start] + one[length]
