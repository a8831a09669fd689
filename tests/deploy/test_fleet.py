"""Three real nodes under a real Prometheus, one with its DStack down: alarms and the dashboard."""

import re
import time
from collections.abc import Iterator
from contextlib import ExitStack

import pytest
from msgspec import Struct

from dstack_backend.testing.simulated_dstack import Remote, SimulatedDStack, in_thread
from tests.contract.process.service import Service, wait_until
from tests.deploy.dashboard import DASHBOARD, QUERIES, filled_in
from tests.deploy.prometheus_server import PrometheusServer

SOON = 30.0
"""Seconds; far more than it takes, as the machine may be busy."""


DOWN = ("DstackNodeUnavailable", "gpu-3")


class Fleet(Struct, frozen=True):
    """Nodes and who watches them; the DStack of the last node is down."""

    prometheus: PrometheusServer
    dstacks: dict[str, Remote]
    services: dict[str, Service]


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    """Start all of it; it is ready when the alarm for the last node fires."""
    folder = tmp_path_factory.mktemp("fleet")
    with ExitStack() as ends:
        dstacks: dict[str, Remote] = {}
        services: dict[str, Service] = {}
        for name in ("gpu-1", "gpu-2", "gpu-3"):
            dstacks[name] = ends.enter_context(in_thread(SimulatedDStack()))
            services[name] = Service(
                folder / f"{name}.log",
                DSTACK_URL=dstacks[name].url,
                CHECK_INTERVAL="0.5",
                HISTORY="on",
                DATA_DIR=str(folder / f"{name}-data"),
            )
            ends.callback(services[name].kill)
            services[name].wait_for(None)
        prometheus = PrometheusServer(folder, services)
        ends.callback(prometheus.kill)
        wait_until(lambda: len(prometheus.ask("query", query="up == 1")["result"]) == 3, SOON)
        dstacks["gpu-3"].crash()
        # Before the first scrape there was no target: that alarm has to end, too.
        wait_until(lambda: prometheus.alarms() == {DOWN}, SOON)
        yield Fleet(prometheus, dstacks, services)


def test_the_node_whose_dstack_is_down_alarms_and_says_why(fleet: Fleet) -> None:
    """One alarm, for this node alone, with the reason's sentence."""
    assert fleet.prometheus.alarms() == {DOWN}
    (alarm,) = [
        each for each in fleet.prometheus.ask("alerts")["alerts"] if each["state"] == "firing"
    ]
    assert alarm["labels"]["severity"] == "critical"
    assert alarm["annotations"]["description"] == "Connection error: connection refused"


@pytest.mark.parametrize(
    ("expression", "call"), [each[1:] for each in QUERIES], ids=[each[0] for each in QUERIES]
)
def test_a_query_of_the_dashboard_brings_data(fleet: Fleet, expression: str, call: str) -> None:
    """As Grafana would ask it; neither an error nor a warning, and at least one sample."""
    now = time.time()
    last_minute = {"start": f"{now - 60:.3f}", "end": f"{now:.3f}", "step": "1"}
    when = last_minute if call == "query_range" else {}
    assert fleet.prometheus.ask(call, query=filled_in(expression), **when)["result"]


def test_the_dashboards_variables_offer_the_job_and_all_nodes(fleet: Fleet) -> None:
    """What Grafana makes of `label_values` is one call of the API."""
    offered: dict[str, list[str]] = {}
    for variable in DASHBOARD["templating"]["list"]:
        if variable["type"] == "query":
            match = re.fullmatch(r"label_values\((.+), (\w+)\)", variable["definition"])
            assert match
            assert variable["query"]["query"] == variable["definition"]
            selector = {"match[]": filled_in(match[1])}
            offered[variable["name"]] = fleet.prometheus.ask(f"label/{match[2]}/values", **selector)
    assert offered == {"job": ["dstack-backend"], "instance": ["gpu-1", "gpu-2", "gpu-3"]}


def test_what_is_recorded_counts_the_fleet(fleet: Fleet) -> None:
    """Three nodes, two of them available, sixteen GPUs."""
    found = {
        query: float(fleet.prometheus.ask("query", query=query)["result"][0]["value"][1])
        for query in (
            "job:dstack_backend_nodes:count",
            "job:dstack_backend_up:sum",
            "sum(job:dstack_backend_gpus:sum)",
        )
    }
    assert list(found.values()) == [3, 2, 16]


def test_alarms_follow_what_happens(fleet: Fleet) -> None:
    """A process that is gone, a lost GPU and an empty list alarm; what is cured falls silent.

    This is the last test of the module: it changes the fleet.
    """
    first = fleet.dstacks["gpu-1"].dstack
    first.gpus = first.gpus[:7]
    fleet.services["gpu-2"].kill()
    fleet.dstacks["gpu-3"].dstack.gpus = ()
    fleet.dstacks["gpu-3"].revive()
    expected = {
        ("DstackGpusFewerThanHourAgo", "gpu-1"),
        ("DstackGpusMissing", "gpu-1"),
        ("DstackBackendGone", "gpu-2"),
        ("DstackNodeWithoutGpus", "gpu-3"),
        ("DstackGpusFewerThanHourAgo", "gpu-3"),
        ("DstackGpusMissing", "gpu-3"),
    }
    # Checks of the outage that has ended are among those of the last 15 minutes.
    also = {("DstackChecksFailing", "gpu-3")}
    wait_until(lambda: fleet.prometheus.alarms() - also == expected, SOON)
