"""Fixtures of the fault suite: those of the contract tests, pollers and harness services."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.contract.conftest import authority, dstack, serve, serve_module
from tests.contract.process.service import Service
from tests.faults.support.namespaces import own_namespaces
from tests.faults.support.polling import Poller
from tests.faults.support.process import HarnessService

__all__ = ["authority", "dstack", "poll", "serve", "serve_harness", "serve_module"]


@pytest.fixture(scope="module")
def poll() -> Iterator[Callable[[Service], Poller]]:
    """Start pollers. All of them end after the tests of the module."""
    with ExitStack() as ends:

        def start(service: Service) -> Poller:
            poller = Poller(service.host, service.port)
            ends.callback(poller.close)
            return poller

        yield start


@pytest.fixture
def serve_harness(tmp_path: Path) -> Iterator[Callable[..., HarnessService]]:
    """Start harness services. All of them end after the test."""
    with ExitStack() as ends:

        def start(orders: str = "good", **env: str) -> HarnessService:
            service = HarnessService(tmp_path, orders, **env)
            ends.callback(service.kill)
            return service

        yield start


@pytest.fixture
def note(request: pytest.FixtureRequest) -> Callable[[str], None]:
    """Record a measurement that is printed at the end of the run."""
    name = request.node.name

    def keep(line: str) -> None:
        request.config.stash[_MEASURED].append(f"{name}: {line}")

    return keep


_MEASURED = pytest.StashKey[list[str]]()


def pytest_configure(config: pytest.Config) -> None:
    """Start without measurements."""
    config.stash[_MEASURED] = []


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    """Print the measurements."""
    terminalreporter.section("measurements")
    for line in config.stash[_MEASURED]:
        terminalreporter.line(line)


collect_ignore: list[str] = [] if own_namespaces() else ["test_addresses.py", "test_lookup.py"]


def pytest_report_header() -> str:
    """Return a line on what this machine cannot test."""
    if collect_ignore:
        return (
            "NOT TESTED: a name look-up that hangs, and hosts without IPv4 or IPv6; they need "
            "unshare, mount, ip and namespaces: run as root, or allow user namespaces"
        )
    return "namespaces are available: everything is tested"
