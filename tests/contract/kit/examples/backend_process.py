"""The examples as processes, and requests to their `/health`."""

import http.client
import os
import socket
import subprocess
import sys
from collections.abc import Generator
from contextlib import closing, contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from dstack_backend.domain import BackendInfo, Status
from dstack_backend.testing.contracts import check_backend_info
from tests.contract.process.service import free_port, wait_until

__all__ = ["EXAMPLES", "fetch", "health", "running", "running_asgi", "wait_for"]

EXAMPLES = Path(__file__).parents[4] / "examples"


@contextmanager
def running(
    port: int, *command: str, python: str = sys.executable, log: Path | None = None, **env: str
) -> Generator[str]:
    """Run a server and yield the address of its `/health`.

    Args:
        port: The port on which it listens.
        command: Arguments of the interpreter.
        python: The interpreter.
        log: File for its output.
        env: Environment variables.
    """
    with (log or Path(os.devnull)).open("wb") as output:
        server = subprocess.Popen(
            [python, *command],
            env={"PATH": os.environ["PATH"], "HISTORY": "off", **env},
            stdout=output,
            stderr=output,
        )
    try:
        wait_until(lambda: _listens(port) or server.poll() is not None, 20.0)
        assert server.poll() is None, log and log.read_text()
        yield f"http://127.0.0.1:{port}/health"
    finally:
        server.terminate()
        server.wait(timeout=10)


@contextmanager
def running_asgi(factory: str, log: Path | None = None, **env: str) -> Generator[str]:
    """Run an application factory of `examples/` under granian."""
    port = free_port()
    options = ("--interface", "asgi", "--factory", "--port", str(port), "--working-dir")
    command = ("-m", "granian", *options, str(EXAMPLES), factory)
    with running(port, *command, log=log, CHECK_INTERVAL="0.2", **env) as url:
        yield url


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def fetch(url: str, accept: str = "*/*") -> tuple[int, str]:
    """Return the code and the body of an answer."""
    parts = urlsplit(url)
    with closing(http.client.HTTPConnection(parts.netloc, timeout=20)) as connection:
        target = f"{parts.path}?{parts.query}" if parts.query else parts.path
        connection.request("GET", target, headers={"Accept": accept})
        answer = connection.getresponse()
        return answer.status, answer.read().decode()


def health(url: str) -> BackendInfo:
    """Return the answer of `/health`."""
    code, body = fetch(url)
    return check_backend_info(code, body.encode())


def wait_for(status: Status, url: str) -> BackendInfo:
    """Wait until the node has a status, and return the answer of `/health`."""
    wait_until(lambda: health(url).status is status, 30.0)
    return health(url)
