"""The image `dstack-backend:latest`, as `make image` builds it, with as few rights as possible."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from dstack_backend import __version__
from tests.contract.process.service import wait_until

ROOT = Path(__file__).parents[2]
IMAGE = "dstack-backend:latest"
RIGHTS = ("--read-only", "--cap-drop=ALL", "--security-opt", "no-new-privileges")
SIMULATED = ("--env", "DSTACK_URL=http://127.0.0.1:19060")

WEBHOOK = """
from http.server import BaseHTTPRequestHandler, HTTPServer

class Handler(BaseHTTPRequestHandler):
    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(204)
        self.end_headers()

HTTPServer(("127.0.0.1", 8095), Handler).serve_forever()
"""

COMMANDS = {
    "check": 0,
    "doctor --json": 0,
    "gpus": 0,
    "healthcheck": 0,
    "history": 0,
    "identity": 0,
    "notify --test": 0,
    "status http://127.0.0.1:8080": 0,
    "--print-completion bash": 0,
}
"""Exit codes while DStack is available."""


def _docker(*arguments: str, expected: int = 0) -> str:
    """Run docker, and return its standard output and standard error."""
    done = subprocess.run(
        ["docker", *arguments],  # noqa: S607 - the docker of this machine
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == expected, done.stdout
    return done.stdout.strip()


def _state(container: str) -> Any:
    return json.loads(_docker("inspect", "--format", "{{json .State}}", container))


def _is_healthy(container: str) -> bool:
    return bool(_state(container)["Health"]["Status"] == "healthy")


@pytest.fixture
def service() -> Iterator[str]:
    """Run the service, a simulated DStack and a webhook; return the name of the container."""
    notify = ("--env", "NOTIFY_URLS=json://127.0.0.1:8095", "--env", "NODE_NAME=gpu-07")
    container = _docker("run", "--detach", *RIGHTS, *SIMULATED, *notify, IMAGE)
    try:
        _docker("exec", "--detach", container, "dstack-backend", "simulate")
        _docker("exec", "--detach", container, "python", "-c", WEBHOOK)
        wait_until(lambda: _is_healthy(container), 30)
        yield container
    finally:
        _docker("rm", "--force", "--volumes", container)


def test_runs_unprivileged_and_stops_at_once(service: str) -> None:
    """Nothing but `/data` can be written, and SIGTERM ends it before docker's SIGKILL."""
    assert _docker("exec", service, "cat", "/proc/1/comm") == "dstack-backend"
    uids = "import os; print(os.stat('/proc/1').st_uid, os.access('/data', os.W_OK))"
    assert _docker("exec", service, "python", "-c", uids) == "10001 True"
    _docker("stop", "--time", "10", service)
    assert _state(service)["ExitCode"] == 0


def test_each_command_has_what_it_needs(service: str) -> None:
    """A package that is left out of the lock is not needed by any of them."""
    for command, expected in COMMANDS.items():
        _docker("exec", service, "dstack-backend", *command.split(), expected=expected)


def test_labels_say_what_it_contains() -> None:
    """Version and revision are those of the checkout."""
    labels = json.loads(_docker("inspect", "--format", "{{json .Config.Labels}}", IMAGE))
    head = ("git", "rev-parse", "HEAD")
    revision = subprocess.run(head, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert labels["org.opencontainers.image.version"] == __version__
    assert labels["org.opencontainers.image.revision"] == revision.strip()
    assert labels["org.opencontainers.image.licenses"] == "MIT"


def test_compose_file_can_be_read() -> None:
    """Compose resolves it, with the service of the worker too."""
    arguments = ("--file", str(ROOT / "compose.yaml"), "--profile", "worker")
    services = _docker("compose", *arguments, "config", "--services").split()
    assert sorted(services) == ["dephy-worker", "dstack-backend"]


def test_contains_the_bytecode_that_a_start_needs() -> None:
    """The service cannot write it, so each start would compile again."""
    arguments = ("--entrypoint", "python", "--user", "10001", IMAGE, "-v", "-m", "dstack_backend")
    log = _docker("run", "--rm", *RIGHTS, *arguments, "doctor", expected=1)
    loaded = [line for line in log.splitlines() if line.startswith("# code object from ")]
    assert loaded
    assert not [line for line in loaded if line.rstrip("'").endswith(".py")]
