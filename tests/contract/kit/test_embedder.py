"""A service around an embedded source shows nothing of DStack, over real HTTP."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urljoin

import pytest

from dstack_backend.domain import Status
from tests.contract.kit.examples.backend_process import EXAMPLES, fetch, running, wait_for
from tests.contract.kit.examples.sysfs import H200, plug
from tests.contract.process.service import free_port, wait_until

PROGRAM = """
import os, sys
from pathlib import Path

from dstack_backend.app.config.settings import load
from dstack_backend.app.embed import embed
from dstack_backend.app.server.serve import run

sys.path.insert(0, os.environ["EXAMPLES"])
from storage_node import VolumeFolder
from sysfs_gpus import SysfsGpus

kind = {"gpus": SysfsGpus, "volumes": VolumeFolder}[os.environ["KIND"]]
source = kind(Path(os.environ["ROOT"]))
run(embed(source, load(os.environ, {}), topic="my-monitor", name="my source"))
"""

PATHS = (
    *("/", "/status", "/gpus", "/health", "/livez", "/readyz", "/history", "/uptime", "/metrics"),
    "/schema/openapi.json",
    "/badge.svg",
)
PAGES = ("/?lang=en", "/?lang=zh")


class Embedder:
    """A running service around a source of the examples.

    Attributes:
        has_gpus: Whether its inventory is one of GPUs.
        health: The address of `/health`.
    """

    def __init__(self, kind: str, health: str, root: Path, log: Path) -> None:
        self.has_gpus = kind == "gpus"
        self.health = health
        self._root = root
        self._log = log

    def fail(self) -> None:
        """Let the checks fail."""
        self._root.rename(self._root.with_name("away"))

    def log(self) -> str:
        """Return the log so far."""
        return self._log.read_text()

    def outputs(self) -> dict[str, str]:
        """Return the log and every answer, by path."""
        found = {"log": self.log()}
        for path in PATHS:
            code, found[path] = fetch(urljoin(self.health, path))
            assert code in {200, 404, 503}, path
        for path in PAGES:
            page = found[path] = fetch(urljoin(self.health, path), "text/html")[1]
            assert "<html" in page
            for link in re.findall(r'(?:src|href)="([^"#:]+)"', page):
                found[link] = fetch(urljoin(self.health, link))[1]
        return found


@pytest.fixture(params=["gpus", "volumes"])
def embedder(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Embedder]:
    """Run the service with GPUs, and with an inventory that has none."""
    root, log, port = tmp_path / "root", tmp_path / "log", free_port()
    plug(root, "0000:3b:00.0", H200)
    env = {
        "KIND": request.param,
        "ROOT": str(root),
        "EXAMPLES": str(EXAMPLES),
        "LISTEN_ADDR": f"127.0.0.1:{port}",
        "CHECK_INTERVAL": "0.2",
        "LOG_FORMAT": {"gpus": "text", "volumes": "json"}[request.param],
        "DSTACK_URL": "garbage",
        "NOTIFY_URLS": f"json://127.0.0.1:{free_port()}",
        "NOTIFY_AFTER": "0",
        "DSTACK_TOKEN_FILE": "/nowhere",
    }
    with running(port, "-W", "error", "-c", PROGRAM, log=log, **env) as health:
        wait_for(Status.AVAILABLE, health)
        yield Embedder(request.param, health, root, log)


def _expect_no_dstack(outputs: dict[str, str]) -> None:
    for name, text in outputs.items():
        found = re.search(r".{0,80}dstack.{0,80}", text, re.IGNORECASE)
        assert not found, f"{name}: {found[0]}"


def test_available_node_shows_nothing_of_dstack(embedder: Embedder) -> None:
    """Log, endpoints, OpenAPI, metrics, page and assets name the topic and the source."""
    outputs = embedder.outputs()
    _expect_no_dstack(outputs)
    assert "my-monitor" in outputs["/"]
    assert "my_monitor" in outputs["/metrics"]
    assert "my source" in outputs["log"]
    assert "my source" in outputs["/?lang=en"]


def test_only_a_node_with_gpus_reports_missing_ones(embedder: Embedder) -> None:
    """Another inventory has none of the fields."""
    status = json.loads(fetch(urljoin(embedder.health, "/status"))[1])
    fields = {"degraded", "missing", "other_devices"} & status.keys()
    assert len(fields) == (3 if embedder.has_gpus else 0)


def test_unavailable_node_shows_nothing_of_dstack(embedder: Embedder) -> None:
    """The instructions for the operator are not those for DStack."""
    embedder.fail()
    wait_for(Status.UNAVAILABLE, embedder.health)
    wait_until(lambda: "no message could be sent" in embedder.log())
    outputs = embedder.outputs()
    assert json.loads(outputs["/status"])["reason"] == "connection_failed"
    _expect_no_dstack(outputs)


def test_gpus_are_shown_where_the_inventory_has_some(embedder: Embedder) -> None:
    """Nothing of them for an inventory of volumes."""
    paths = ("/", "/status", "/gpus")
    codes, bodies = zip(*(fetch(urljoin(embedder.health, path)) for path in paths), strict=True)
    index, status, gpus = map(json.loads, bodies)
    shown = ("gpus" in index["links"], "degraded" in status, "missing" in gpus)
    assert shown == (embedder.has_gpus,) * 3
    assert codes == (200, 200, 200 if embedder.has_gpus else 404)
