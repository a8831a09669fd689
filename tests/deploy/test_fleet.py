"""Alerts and dashboard with three real services and a real Prometheus.

One node has lost a GPU, and the DStack of another is down.
"""

import re
import time
from collections.abc import Generator, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest
from msgspec import Struct

from dstack_backend.testing.simulated_dstack import EIGHT_H200, Remote, SimulatedDStack, in_thread
from tests.contract.process.service import Service, wait_until
from tests.deploy.dashboard import DASHBOARD, PANELS, QUERIES, filled_in, page_urls, query_of
from tests.deploy.programs import DEPLOY, documents, run
from tests.deploy.prometheus_server import PrometheusServer

SOON = 30.0
"""Seconds; much longer than needed, because the machine may be busy."""

LOST = ("DstackGpuLost", "gpu-2")
DOWN = ("DstackNodeUnavailable", "gpu-3")


USED = sum(not gpu.is_free for gpu in (*EIGHT_H200, *EIGHT_H200[1:]))

FLEET_NOW = {
    "Nodes": 3,
    "Available": 2,
    "Unavailable": 1,
    "Not answering": 0,
    "GPUs": 15,
    "GPUs in use": USED / 15,
    "Missing GPUs": 1,
}
BY_NODE = {
    query_of("Status"): {"gpu-1": 1.0, "gpu-2": 1.0, "gpu-3": 0.0},
    query_of("GPUs of each node"): {"gpu-1": 8.0, "gpu-2": 7.0},
    query_of("Why nodes are unavailable"): {"gpu-3": 1.0},
    "dstack_backend_degraded": {"gpu-1": 0.0, "gpu-2": 1.0, "gpu-3": 0.0},
    "dstack_backend_gpus_missing": {"gpu-1": 0.0, "gpu-2": 1.0, "gpu-3": 0.0},
}


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
                    NODE_NAME=name,
                    HISTORY="on",
                    DATA_DIR=str(folder / f"{name}-data"),
                )
            )
            services[name].wait_for(None)
            services[name].ask("/health")  # as a worker
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


def _values(fleet: Fleet, query: str, *labels: str) -> dict[tuple[str, ...], float]:
    """Return the result of a query by the values of labels."""
    found = fleet.prometheus.query_api("query", query=query)["result"]
    values = {
        tuple(each["metric"].get(label, "") for label in labels): float(each["value"][1])
        for each in found
    }
    assert len(values) == len(found), "the labels do not identify the series"
    return values


def test_the_dashboard_shows_the_state_of_each_gpu(fleet: Fleet) -> None:
    """Coded as the panel maps it: 0 free, 1 in use, 2 missing; none while unavailable."""
    assert _values(fleet, query_of("State of each GPU"), "instance", "slot") == {
        **{("gpu-1", gpu.slot): float(not gpu.is_free) for gpu in EIGHT_H200},
        **{("gpu-2", gpu.slot): float(not gpu.is_free) for gpu in EIGHT_H200},
        ("gpu-2", EIGHT_H200[0].slot): 2.0,
    }


@pytest.mark.parametrize(("title", "value"), FLEET_NOW.items())
def test_the_dashboard_counts_the_fleet(fleet: Fleet, title: str, value: float) -> None:
    """The first row, and the missing GPUs."""
    assert _values(fleet, query_of(title)) == {(): pytest.approx(value)}


@pytest.mark.parametrize(("query", "expected"), BY_NODE.items())
def test_each_node_can_be_distinguished(
    fleet: Fleet, query: str, expected: dict[str, float]
) -> None:
    """The degraded one from the available one and from the unavailable one."""
    nodes = {(name,): value for name, value in expected.items()}
    assert _values(fleet, query, "instance") == nodes


def test_each_series_of_a_node_links_to_its_page(fleet: Fleet) -> None:
    """Each panel in which nodes are named has a link; it leads to the page of that node."""
    urls: dict[str, str] = {}
    for panel in PANELS:
        found = fleet.prometheus.query_api("query", query=filled_in(panel["targets"][0]["expr"]))[
            "result"
        ]
        nodes = {each["metric"]["instance"] for each in found if "instance" in each["metric"]}
        for node in nodes:
            (url,) = page_urls(panel, node)
            urls[url] = node
    assert sorted(urls.values()) == sorted(fleet.services)
    for url, node in urls.items():
        parts = urlsplit(url)
        assert (parts.hostname, parts.port) == (node, 8080)
        headers = {"Host": parts.netloc, "Accept": "text/html"}
        page = httpx.get(fleet.services[node].url(parts.path), headers=headers)
        assert page.status_code == 200
        assert f"<title>{node}" in page.text


def test_prometheus_scrapes_openmetrics(fleet: Fleet) -> None:
    """It asks for it by default. A counter of OpenMetrics has its type without `_total`."""
    metric = "dstack_backend_checks"
    found = fleet.prometheus.query_api("targets/metadata", metric=metric)
    assert {each["type"] for each in found} == {"counter"}
    assert len(found) == 3


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


def test_recording_rules_record_the_fleet_and_its_nodes(fleet: Fleet) -> None:
    """Each rule. Three nodes, two of them available, fifteen GPUs; checks of one node fail."""
    (rules,) = documents(DEPLOY / "prometheus" / "recording.yml")
    found = {
        rule["record"]: _values(fleet, rule["record"], "instance", "state")
        for group in rules["groups"]
        for rule in group["rules"]
    }
    failing = found.pop("instance:dstack_backend_checks:failure_ratio_rate15m")
    assert failing.pop(("gpu-3", "")) > 0
    assert failing == {("gpu-1", ""): 0, ("gpu-2", ""): 0}
    durations = found.pop("instance:dstack_backend_check_duration_seconds:p95_10m")
    assert {node for node, _ in durations} == {"gpu-1", "gpu-2", "gpu-3"}
    assert all(0 < each < 5 for each in durations.values())
    assert found == {
        "job:dstack_backend_nodes:count": {("", ""): 3},
        "job:dstack_backend_up:sum": {("", ""): 2},
        "job:dstack_backend_up:ratio": {("", ""): pytest.approx(2 / 3)},
        "job:dstack_backend_gpus:sum": {("", "free"): 15 - USED, ("", "in_use"): USED},
        "instance:dstack_backend_gpus_listed:max": {("gpu-1", ""): 8, ("gpu-2", ""): 7},
    }


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
