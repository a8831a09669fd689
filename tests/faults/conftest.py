"""Fixtures of the fault suite: those of the contract tests, pollers, and staged services."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.contract.conftest import authority, dstack, serve, serve_module
from tests.contract.process.service import Service
from tests.faults.namespaces import own_namespaces
from tests.faults.polling import Poller
from tests.faults.process import Staged

__all__ = ["authority", "dstack", "poll", "serve", "serve_module", "stage"]


@pytest.fixture(scope="module")
def poll() -> Iterator[Callable[[Service], Poller]]:
    """Starts pollers; all of them are ended after the tests of the module."""
    with ExitStack() as ends:

        def start(service: Service) -> Poller:
            poller = Poller(service.host, service.port)
            ends.callback(poller.close)
            return poller

        yield start


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Callable[..., Staged]]:
    """Starts staged services; all of them are ended after the test."""
    with ExitStack() as ends:

        def start(orders: str = "good", **env: str) -> Staged:
            staged = Staged(tmp_path, orders, **env)
            ends.callback(staged.kill)
            return staged

        yield start


@pytest.fixture
def note(request: pytest.FixtureRequest) -> Callable[[str], None]:
    """Keeps a line on what was measured for the end of the run."""
    name = request.node.name

    def keep(line: str) -> None:
        request.config.stash[_MEASURED].append(f"{name}: {line}")

    return keep


_MEASURED = pytest.StashKey[list[str]]()


def pytest_configure(config: pytest.Config) -> None:
    """Begin with nothing measured."""
    config.stash[_MEASURED] = []


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    """Show what was measured."""
    terminalreporter.section("measured")
    for line in config.stash[_MEASURED]:
        terminalreporter.line(line)


collect_ignore: list[str] = [] if own_namespaces() else ["test_lookup.py"]


def pytest_report_header() -> str:
    """Say what this machine does not let us test."""
    if collect_ignore:
        return (
            "NOT TESTED: a name look-up that hangs (test_lookup.py); it needs unshare, mount, ip "
            "and leave to make namespaces: run as root, or allow user namespaces"
        )
    return "namespaces may be made: a name look-up that hangs is tested"
