"""Fixtures: Debian's chromium, and the service as a process beside a simulated DStack."""

import os
import shutil
import subprocess
import sys
from collections.abc import Generator, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from dstack_backend.testing.simulated_dstack import Remote, SimulatedDStack, in_thread
from tests.browser.harness import SimulatedNode
from tests.browser.history import write_past
from tests.contract.process.service import Service

ARGUMENTS = [
    "--no-sandbox",  # a container's root has no other way
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
    """Run Debian's chromium, with a profile of its own that is new and empty."""
    program = shutil.which("chromium")
    assert program, "apt-get install chromium"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=ARGUMENTS)
        yield browser
        browser.close()


@contextmanager
def stage(browser: Browser, folder: Path) -> Generator[SimulatedNode]:
    """Run a service with a past beside a DStack, and look at it."""
    data = folder / "data"
    write_past(data)
    with ExitStack() as ends:
        remote: Remote = ends.enter_context(in_thread(SimulatedDStack()))
        settings = {
            "DSTACK_URL": remote.url,
            "CHECK_INTERVAL": "0.5",
            "CHECK_TIMEOUT": "1",
            "HISTORY": "on",
            "DATA_DIR": str(data),
        }

        def serve(**env: str) -> Service:
            log = folder / f"service-{len(list(folder.iterdir()))}.log"
            service = Service(log, **{**settings, **env})
            ends.callback(service.kill)
            return service

        def start_again(service: Service) -> subprocess.Popen[bytes]:
            place = {"LISTEN_ADDR": service.netloc, "PATH": os.environ["PATH"]}
            process = subprocess.Popen(
                [sys.executable, "-m", "dstack_backend"], env={**settings, **place}
            )
            ends.callback(process.wait)
            ends.callback(process.kill)
            return process

        made = SimulatedNode(browser, remote, serve, start_again)
        ends.callback(made.close)
        yield made


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """One browser for all tests; each test has contexts of its own."""
    with chromium() as running:
        yield running


@pytest.fixture
def staged(browser: Browser, tmp_path: Path) -> Iterator[SimulatedNode]:
    """A service, its DStack, and a browser."""
    with stage(browser, tmp_path) as made:
        yield made


@pytest.fixture
def page(staged: SimulatedNode) -> Page:
    """The page of an available node, in English."""
    staged.service.wait_for(None)
    return staged.open()


@pytest.fixture(autouse=True)
def innocent(staged: SimulatedNode) -> Iterator[None]:
    """Whatever is shown, no script fails, the policy stops nothing, and nobody else is asked."""
    yield
    assert staged.complaints == []
    assert staged.foreign == []
