"""Alerts and dashboard with three real services and a real Prometheus; one DStack is down."""

import re
import time
from collections.abc import Iterator
from contextlib import ExitStack

import pytest
from msgspec import Struct

from dstack_backend.testing.simulated_dstack import Remote, SimulatedDStack, in_thread
from tests.contract.process.service import Service, wait_until
from tests.deploy.dashboard import DASHBOARD, QUERIES, filled_in
from tests.deploy.programs import run
from tests.deploy.prometheus_server import PrometheusServer

SOON = 30.0
"""Seconds; much longer than needed, because the machine may be busy."""

DOWN = ("DstackNodeUnavailable", "gpu-3")


class Fleet(Struct, frozen=True):
    """Services and their Prometheus. The DStack of the last node is down."""

    prometheus: PrometheusServer
    dstacks: dict[str, Remote]
    services: dict[str, Service]


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    """Start everything, and wait until the alert for the last node fires."""
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
        wait_until(lambda: len(prometheus.query_api("query", query="up == 1")["result"]) == 3, SOON)
        dstacks["gpu-3"].crash()
        # Wait for the end of the alert for the missing targets before the first scrape, too.
        wait_until(lambda: prometheus.firing() == {DOWN}, SOON)
        yield Fleet(prometheus, dstacks, services)


def test_promtool_has_no_finding_in_the_metrics(fleet: Fleet) -> None:
    """Neither in those of an available node nor in those of an unavailable one."""
    for name in ("gpu-1", "gpu-3"):
        metrics = fleet.services[name].ask("/metrics").body.decode()
        checked = run("promtool", "check", "metrics", standard_input=metrics)
        assert (checked.returncode, checked.stdout + checked.stderr) == (0, ""), name


def test_only_the_node_without_dstack_fires_with_its_reason(fleet: Fleet) -> None:
    """One alert, for this node only. Its description is the reason's message and what to do."""
    assert fleet.prometheus.firing() == {DOWN}
    (alert,) = [
        each for each in fleet.prometheus.query_api("alerts")["alerts"] if each["state"] == "firing"
    ]
    assert alert["labels"]["severity"] == "critical"
    assert alert["annotations"]["description"] == (
        "Connection error: connection refused. Run dstack-backend doctor on the node."
    )


@pytest.mark.parametrize(
    ("expression", "call"), [each[1:] for each in QUERIES], ids=[each[0] for each in QUERIES]
)
def test_each_query_of_the_dashboard_returns_data(fleet: Fleet, expression: str, call: str) -> None:
    """Called as by Grafana: no error, no warning, and at least one sample."""
    now = time.time()
    last_minute = {"start": f"{now - 60:.3f}", "end": f"{now:.3f}", "step": "1"}
    when = last_minute if call == "query_range" else {}
    assert fleet.prometheus.query_api(call, query=filled_in(expression), **when)["result"]


def test_the_variables_of_the_dashboard_list_the_job_and_all_nodes(fleet: Fleet) -> None:
    """Grafana turns `label_values` into one API call."""
    offered: dict[str, list[str]] = {}
    for variable in DASHBOARD["templating"]["list"]:
        if variable["type"] == "query":
            match = re.fullmatch(r"label_values\((.+), (\w+)\)", variable["definition"])
            assert match
            assert variable["query"]["query"] == variable["definition"]
            selector = {"match[]": filled_in(match[1])}
            offered[variable["name"]] = fleet.prometheus.query_api(
                f"label/{match[2]}/values", **selector
            )
    assert offered == {"job": ["dstack-backend"], "instance": ["gpu-1", "gpu-2", "gpu-3"]}


def test_recording_rules_count_nodes_and_gpus(fleet: Fleet) -> None:
    """Three nodes, two of them available, sixteen GPUs."""
    found = {
        query: float(fleet.prometheus.query_api("query", query=query)["result"][0]["value"][1])
        for query in (
            "job:dstack_backend_nodes:count",
            "job:dstack_backend_up:sum",
            "sum(job:dstack_backend_gpus:sum)",
        )
    }
    assert list(found.values()) == [3, 2, 16]


def test_alerts_fire_and_end_with_the_state_of_the_nodes(fleet: Fleet) -> None:
    """A dead process, a missing GPU and an empty list fire; the alert of a recovered node ends.

    This must be the last test of the module, because it changes the services.
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
    # The last 15 minutes contain failed checks of the outage that is over.
    allowed = {("DstackChecksFailing", "gpu-3")}
    wait_until(lambda: fleet.prometheus.firing() - allowed == expected, SOON)
