"""Starts what is measured: dstack-backend, the on-demand design, and nginx."""

import contextlib
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Generator
from pathlib import Path

__all__ = ["DESIGNS", "Running", "get", "nginx", "pss", "service"]

DESIGNS = {"dstack-backend": "dstack_backend", "on demand": "bench.on_demand"}
"""The modules of the two designs, by their name in the tables."""

NGINX = """
daemon off; worker_processes 1; pid {folder}/pid; error_log {folder}/error;
events {{ worker_connections 4096; }}
http {{
  access_log off; default_type application/json;
  client_body_temp_path {folder}; proxy_temp_path {folder}; fastcgi_temp_path {folder};
  uwsgi_temp_path {folder}; scgi_temp_path {folder};
  server {{ listen 127.0.0.1:{port}; root {folder}/root; }}
}}
"""


class Running:
    """A process that responds.

    Attributes:
        pid: The process.
        port: Where it listens.
        url: The URL of its `/health`.
        started_in: Seconds from its start to its first response.
    """

    def __init__(self, process: subprocess.Popen[bytes], port: int) -> None:
        """Wait for the first response."""
        start = time.monotonic()
        self.pid = process.pid
        self.port = port
        self.url = f"http://127.0.0.1:{port}/health"
        while get(self.url)[0] == 0:
            if process.poll() is not None or time.monotonic() - start > 30:
                raise RuntimeError(f"no response from {process.args!r}")
            time.sleep(0.01)
        self.started_in = time.monotonic() - start


@contextlib.contextmanager
def service(design: str, dstack_url: str, **settings: str) -> Generator[Running, None, None]:
    """Run one of the two designs with a DStack."""
    port = _free_port()
    listen = f"127.0.0.1:{port}"
    environ = {"DSTACK_URL": dstack_url, "LISTEN_ADDR": listen, "HISTORY": "off", **settings}
    with _process([sys.executable, "-m", DESIGNS[design]], {**os.environ, **environ}) as process:
        yield Running(process, port)


@contextlib.contextmanager
def nginx(body: bytes) -> Generator[Running, None, None]:
    """Serve `body` as the file `/health`, with one worker."""
    port = _free_port()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        (folder / "root").mkdir()
        (folder / "root" / "health").write_bytes(body)
        (folder / "nginx.conf").write_text(NGINX.format(folder=folder, port=port))
        command = [shutil.which("nginx") or "nginx", "-c", str(folder / "nginx.conf")]
        with _process(command, dict(os.environ)) as process:
            yield Running(process, port)


def get(url: str, timeout: float = 10.0) -> tuple[int, bytes]:
    """Send a request, and return code and body; code 0 where there is no response."""
    try:
        with urllib.request.urlopen(url, timeout=timeout) as response:
            return response.status, response.read()
    except urllib.error.HTTPError as exc:
        return exc.code, exc.read()
    except OSError:
        return 0, b""


def pss(pid: int) -> float:
    """Return the proportional share of memory (PSS) of a process and its children, in MB."""
    pids = [pid, *_children(pid)]
    texts = [Path(f"/proc/{each}/smaps_rollup").read_text() for each in pids]
    lines = [line for text in texts for line in text.splitlines() if line.startswith("Pss:")]
    return sum(int(line.split()[1]) for line in lines) / 1024


def _children(pid: int) -> list[int]:
    tasks = Path(f"/proc/{pid}/task").iterdir()
    return [int(child) for task in tasks for child in (task / "children").read_text().split()]


@contextlib.contextmanager
def _process(
    command: list[str], environ: dict[str, str]
) -> Generator[subprocess.Popen[bytes], None, None]:
    process = subprocess.Popen(command, env=environ, stderr=subprocess.DEVNULL)
    try:
        yield process
    finally:
        process.terminate()
        process.wait(10)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
