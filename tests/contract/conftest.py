"""Fixtures over real servers: a simulated DStack, certificates, and the service as a process."""

from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
import trustme

from dstack_backend.testing.simulated_dstack import Remote, SimulatedDStack, in_thread
from tests.contract.process.service import Service


@contextmanager
def _services(folder: Path) -> Generator[Callable[..., Service]]:
    """Give what starts services with their logs in a folder; end all of them."""
    with ExitStack() as ends:

        def start(*arguments: str, **options: Any) -> Service:
            log = folder / f"service-{len(list(folder.iterdir()))}.log"
            service = Service(log, *arguments, **options)
            ends.callback(service.kill)
            return service

        yield start


@pytest.fixture
def dstack() -> Iterator[Remote]:
    """A simulated DStack on TCP."""
    with in_thread(SimulatedDStack()) as remote:
        yield remote


@pytest.fixture(scope="module")
def dstack_module() -> Iterator[Remote]:
    """A simulated DStack on TCP for all tests of a module."""
    with in_thread(SimulatedDStack()) as remote:
        yield remote


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Callable[..., Service]]:
    """Starts services; all of them are ended after the test."""
    with _services(tmp_path) as start:
        yield start


@pytest.fixture(scope="module")
def serve_module(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Service]]:
    """Starts services; all of them are ended after the tests of the module."""
    with _services(tmp_path_factory.mktemp("services")) as start:
        yield start


@pytest.fixture
def service(serve: Callable[..., Service], dstack: Remote) -> Service:
    """A service that asks the simulated DStack five times a second, and knows its GPUs."""
    service = serve(DSTACK_URL=dstack.url, CHECK_INTERVAL="0.2", CHECK_TIMEOUT="5")
    service.wait_for(None)
    return service


@pytest.fixture(scope="session")
def authority() -> trustme.CA:
    """A certificate authority that nobody trusts unless told so."""
    return trustme.CA()
