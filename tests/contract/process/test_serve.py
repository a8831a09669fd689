"""`run` and `serve_on` in a program that embeds the service with another source."""

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from dstack_backend import __version__
from tests.contract.process.service import free_port, wait_until

PROGRAM = """
import asyncio, gc, logging, os, signal, sys
from dstack_backend.adapters.stdlib_logging import set_up_logging
from dstack_backend.app.config.settings import load
from dstack_backend.app.container import Container
from dstack_backend.app.monitoring.wakeup import NullWatcher
from dstack_backend.app.server.serve import open_listener, run, serve_on
from dstack_backend.domain import GpuInventory, NodeIdentity

class Source:
    async def list_gpus(self):
        print("frozen" if gc.get_freeze_count() else "not frozen", flush=True)
        return GpuInventory()

async def main(listener):
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    await serve_on(listener, container, stop)

container = Container(
    settings=load(os.environ, {}),
    source=Source(),
    source_name="sysfs",
    watcher=NullWatcher(),
    identity=NodeIdentity(topic="mine", source="sysfs", service="my-backend"),
)
if sys.argv[1] == "run":
    run(container)
assert not logging.getLogger().handlers, "only run sets up the log"
set_up_logging("info", "json")
asyncio.run(main(open_listener(container.settings())))
"""


@pytest.fixture(params=["run", "serve_on"])
def mode(request: pytest.FixtureRequest) -> str:
    """Return the function that serves."""
    return str(request.param)


@pytest.fixture
def log(mode: str, tmp_path: Path) -> tuple[str, str]:
    """Run the program until its first check has finished, and return its output and its log."""
    address = f"127.0.0.1:{free_port()}"
    settings = {"LISTEN_ADDR": address, "HISTORY": "off", "LOG_FORMAT": "json"}
    out, err = tmp_path / "out", tmp_path / "err"
    with out.open("wb") as stdout, err.open("wb") as stderr:
        process = subprocess.Popen(
            [sys.executable, "-c", PROGRAM, mode],
            env={"PATH": os.environ["PATH"], **settings},
            stdout=stdout,
            stderr=stderr,
        )
    try:
        wait_until(lambda: "available" in err.read_text() or process.poll() is not None)
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0, err.read_text()
    finally:
        process.kill()
    return out.read_text(), err.read_text().replace(address, "ADDRESS")


def test_only_a_process_of_its_own_is_left_out_of_garbage_collection(
    mode: str, log: tuple[str, str]
) -> None:
    """`run` freezes what exists at the start; `serve_on` leaves the embedder's process alone."""
    assert log[0].splitlines()[0] == ("frozen" if mode == "run" else "not frozen")


def test_log_of_an_embedder_has_its_names_alone(log: tuple[str, str]) -> None:
    """The first line has service, address, source and interval. No line has the word DStack."""
    assert '"logger":"app.server.serve"' in log[1]
    assert f"my-backend {__version__} answers on ADDRESS and checks sysfs every 10 s" in log[1]
    assert "dstack" not in log[1].lower()


def test_address_that_is_taken_is_a_user_error() -> None:
    """The error has the setting and an example."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        address = f"127.0.0.1:{other.getsockname()[1]}"
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM, "serve_on"],
            env={"PATH": os.environ["PATH"], "LISTEN_ADDR": address, "HISTORY": "off"},
            capture_output=True,
            text=True,
            timeout=20,
            check=False,
        )
    error = done.stderr.splitlines()[-1]
    assert done.returncode == 1
    assert "UserError: LISTEN_ADDR (--listen-addr): cannot listen on " + address in error
    assert "; for example LISTEN_ADDR=*:8081" in error
