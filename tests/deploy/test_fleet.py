"""Alerts and dashboard with three real services and a real Prometheus.

One node has lost a GPU, and the DStack of another is down.
"""

import re
import time
from collections.abc import Generator, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from msgspec import Struct

from dstack_backend.testing.simulated_dstack import EIGHT_H200, Remote, SimulatedDStack, in_thread
from tests.contract.process.service import Service, wait_until
from tests.deploy.dashboard import DASHBOARD, QUERIES, filled_in
from tests.deploy.programs import run
from tests.deploy.prometheus_server import PrometheusServer

SOON = 30.0
"""Seconds; much longer than needed, because the machine may be busy."""

LOST = ("DstackGpuLost", "gpu-2")
DOWN = ("DstackNodeUnavailable", "gpu-3")


class Fleet(Struct, frozen=True):
    """Services and their Prometheus. The second has lost a GPU; the last one's DStack is down."""

    prometheus: PrometheusServer
    dstacks: dict[str, Remote]
    services: dict[str, Service]


@contextmanager
def _service(log: Path, port: int | None = None, **env: str) -> Generator[Service, None, None]:
    """Start a service; kill it at the end."""
    service = Service(log, port=port, CHECK_INTERVAL="0.5", **env)
    try:
        yield service
    finally:
        service.kill()


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    """Start everything, and wait until the alerts for the last two nodes fire."""
    folder = tmp_path_factory.mktemp("fleet")
    with ExitStack() as ends:
        dstacks: dict[str, Remote] = {}
        services: dict[str, Service] = {}
        for name in ("gpu-1", "gpu-2", "gpu-3"):
            dstacks[name] = ends.enter_context(in_thread(SimulatedDStack()))
            services[name] = ends.enter_context(
                _service(
                    folder / f"{name}.log",
                    DSTACK_URL=dstacks[name].url,
                    HISTORY="on",
                    DATA_DIR=str(folder / f"{name}-data"),
                )
            )
            services[name].wait_for(None)
        prometheus = PrometheusServer(folder, services)
        ends.callback(prometheus.kill)
        wait_until(lambda: len(prometheus.query_api("query", query="up == 1")["result"]) == 3, SOON)
        second = dstacks["gpu-2"].dstack
        second.gpus = second.gpus[1:]
        dstacks["gpu-3"].crash()
        # Wait for the end of the alert for the missing targets before the first scrape, too.
        wait_until(lambda: prometheus.firing() == {LOST, DOWN}, SOON)
        yield Fleet(prometheus, dstacks, services)


def test_promtool_has_no_finding_in_the_metrics(fleet: Fleet) -> None:
    """Whether the node is available, degraded or unavailable."""
    for name in fleet.services:
        metrics = fleet.services[name].ask("/metrics").body.decode()
        checked = run("promtool", "check", "metrics", standard_input=metrics)
        assert (checked.returncode, checked.stdout + checked.stderr) == (0, ""), name


def test_each_node_fires_with_its_reason(fleet: Fleet) -> None:
    """One alert for each of two nodes. The description contains the reason and what to do."""
    assert fleet.prometheus.firing() == {LOST, DOWN}
    alerts = fleet.prometheus.query_api("alerts")["alerts"]
    assert {
        each["labels"]["instance"]: each["annotations"]["description"]
        for each in alerts
        if each["state"] == "firing" and each["labels"]["severity"] == "critical"
    } == {
        "gpu-2": f"{EIGHT_H200[0].slot} (H200 SXM 141GB). Run dstack-backend gpus on the node.",
        "gpu-3": "Connection error: connection refused. Run dstack-backend doctor on the node.",
    }


def test_the_dashboard_shows_the_state_of_each_gpu(fleet: Fleet) -> None:
    """Coded as the panel maps it: 0 free, 1 in use, 2 missing; none while unavailable."""
    (expression,) = [each[1] for each in QUERIES if each[0].startswith("State of each GPU")]
    found = fleet.prometheus.query_api("query", query=filled_in(expression))["result"]
    assert {
        (each["metric"]["instance"], each["metric"]["slot"]): float(each["value"][1])
        for each in found
    } == {
        **{("gpu-1", gpu.slot): float(not gpu.is_free) for gpu in EIGHT_H200},
        **{("gpu-2", gpu.slot): float(not gpu.is_free) for gpu in EIGHT_H200},
        ("gpu-2", EIGHT_H200[0].slot): 2.0,
    }


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
    """Three nodes, two of them available, fifteen GPUs."""
    found = {
        query: float(fleet.prometheus.query_api("query", query=query)["result"][0]["value"][1])
        for query in (
            "job:dstack_backend_nodes:count",
            "job:dstack_backend_up:sum",
            "sum(job:dstack_backend_gpus:sum)",
        )
    }
    assert list(found.values()) == [3, 2, 15]


def test_alerts_fire_and_end_with_the_state_of_the_nodes(fleet: Fleet, tmp_path: Path) -> None:
    """A dead process, a lost GPU and an empty list fire; the alerts of what is well again end.

    The service of the first node loses its memory together with a GPU. This must be the last test
    of the module, because it changes the services.
    """
    first, service = fleet.dstacks["gpu-1"], fleet.services["gpu-1"]
    service.kill()
    first.dstack.gpus = first.dstack.gpus[:7]
    fleet.services["gpu-2"].kill()
    fleet.dstacks["gpu-3"].dstack.gpus = ()
    fleet.dstacks["gpu-3"].revive()
    expected = {
        ("DstackGpusFewerThanDayAgo", "gpu-1"),
        ("DstackBackendGone", "gpu-2"),
        ("DstackGpuLost", "gpu-2"),
        ("DstackNodeWithoutGpus", "gpu-3"),
        ("DstackGpuLost", "gpu-3"),
    }
    # The last 15 minutes contain failed checks of the outage that is over.
    allowed = {("DstackChecksFailing", "gpu-3")}
    with _service(tmp_path / "log", service.port, DSTACK_URL=first.url, HISTORY="off"):
        wait_until(lambda: fleet.prometheus.firing() - allowed == expected, SOON)
