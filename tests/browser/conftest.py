"""Fixtures: Debian's chromium, and the service as a process with a simulated DStack."""

import os
import shutil
import subprocess
import sys
from collections.abc import Generator, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from dstack_backend.testing.simulated_dstack import (
    EIGHT_H200,
    Remote,
    SimulatedDStack,
    in_thread,
)
from tests.browser.harness import SimulatedNode
from tests.browser.history import LOST, write_history
from tests.contract.process.service import Service

ARGUMENTS = [
    "--no-sandbox",  # required for root in a container
    "--headless",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@contextmanager
def chromium() -> Generator[Browser]:
    """Run Debian's chromium with a new, empty profile."""
    program = shutil.which("chromium")
    assert program, "apt-get install chromium"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=ARGUMENTS)
        yield browser
        browser.close()


@contextmanager
def simulated_node(
    browser: Browser, folder: Path, lost_hours: float | None = None
) -> Generator[SimulatedNode]:
    """Run a service with a history and a simulated DStack. See `write_history`."""
    data = folder / "data"
    write_history(data, lost_hours)
    with ExitStack() as ends:
        remote: Remote = ends.enter_context(in_thread(SimulatedDStack()))
        if lost_hours:
            remote.dstack.gpus = [each for each in EIGHT_H200 if each is not LOST]
        settings = {
            "DSTACK_URL": remote.url,
            "CHECK_INTERVAL": "0.5",
            "CHECK_TIMEOUT": "1",
            "HISTORY": "on",
            "NODE_NAME": "gpu-07",
            "DATA_DIR": str(data),
        }

        def serve(**env: str) -> Service:
            log = folder / f"service-{len(list(folder.iterdir()))}.log"
            service = Service(
                log, host="127.0.0.1", port=None, python=(sys.executable,), **{**settings, **env}
            )
            ends.callback(service.kill)
            return service

        def restart(service: Service) -> subprocess.Popen[bytes]:
            address = {"LISTEN_ADDR": service.netloc, "PATH": os.environ["PATH"]}
            process = subprocess.Popen(
                [sys.executable, "-m", "dstack_backend"], env={**settings, **address}
            )
            ends.callback(process.wait)
            ends.callback(process.kill)
            return process

        node = SimulatedNode(browser, remote, serve, restart)
        ends.callback(node.close)
        yield node


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Run one browser for all tests; each test has contexts of its own."""
    with chromium() as running:
        yield running


@pytest.fixture
def node(browser: Browser, tmp_path: Path) -> Iterator[SimulatedNode]:
    """Run a service, its DStack and a browser."""
    with simulated_node(browser, tmp_path) as node:
        yield node


@pytest.fixture
def page(node: SimulatedNode) -> Page:
    """Open the page of an available node, in English."""
    node.service.wait_for(None)
    return node.open()


@pytest.fixture(autouse=True)
def no_errors(node: SimulatedNode) -> Iterator[None]:
    """Check after each test that the page caused no error and no request to another host."""
    yield
    assert node.errors == []
    assert node.foreign_requests == []
