"""No listener at the address, or one that does not accept: TCP and unix sockets."""

import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from dstack_backend.domain import Reason
from dstack_backend.testing.simulated_dstack import Remote, SimulatedDStack, in_thread
from tests.contract.process.service import Service
from tests.faults.support.arena import Arena
from tests.faults.support.polling import Poller

TIMING = {"CHECK_INTERVAL": "0.1", "CHECK_TIMEOUT": "1"}
TIMED_OUT = (Reason.TIMED_OUT, "Connection error: no answer within 1 s")
REFUSED = (Reason.CONNECTION_REFUSED, "Connection error: connection refused")
NOT_FOUND = (Reason.SOCKET_NOT_FOUND, "Connection error: socket not found")


@pytest.fixture(scope="module")
def tcp(
    serve_module: Callable[..., Service], poll: Callable[[Service], Poller]
) -> Iterator[tuple[Arena, Remote]]:
    """A service and its DStack on TCP."""
    with in_thread(SimulatedDStack()) as dstack:
        service = serve_module(DSTACK_URL=dstack.url, **TIMING)
        yield Arena(service, poll(service)), dstack
        service.kill()


@pytest.fixture(scope="module")
def unix(
    serve_module: Callable[..., Service],
    poll: Callable[[Service], Poller],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[tuple[Arena, Remote, Path]]:
    """A service and its DStack on a unix socket."""
    path = tmp_path_factory.mktemp("dstack") / "vmm.sock"
    with in_thread(SimulatedDStack(), path) as dstack:
        service = serve_module(DSTACK_URL=dstack.url, **TIMING)
        yield Arena(service, poll(service)), dstack, path
        service.kill()


class ListenAddress:
    """The address of a DStack, which another process can bind while DStack is away."""

    def __init__(self, dstack: Remote, family: socket.AddressFamily, address: object) -> None:
        """Change nothing yet."""
        self._dstack = dstack
        self._family = family
        self._address = address
        self._taken = ExitStack()

    def abandon(self) -> None:
        """Let DStack crash, and remove its socket."""
        self._dstack.crash()
        if isinstance(self._address, str):
            Path(self._address).unlink(missing_ok=True)

    def take(self, backlog: int | None, waiting: int = 0) -> None:
        """Let another process bind the address.

        Args:
            backlog: How many connections the kernel accepts for it; `None`: it does not listen.
            waiting: How many clients fill the backlog.
        """
        self.abandon()
        other = self._taken.enter_context(socket.socket(self._family))
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        other.bind(self._address)  # type: ignore[arg-type]  # of the family's kind
        if backlog is not None:
            other.listen(backlog)
        for _ in range(waiting):
            client = self._taken.enter_context(socket.socket(self._family))
            client.settimeout(0)
            client.connect_ex(self._address)  # type: ignore[arg-type]  # of the family's kind

    def restore(self) -> None:
        """Let DStack listen again."""
        self._taken.close()
        if isinstance(self._address, str):
            Path(self._address).unlink(missing_ok=True)
        self._dstack.revive()


@pytest.fixture
def tcp_place(tcp: tuple[Arena, Remote]) -> ListenAddress:
    """The address of the DStack on TCP."""
    _, dstack = tcp
    return ListenAddress(dstack, socket.AF_INET, ("127.0.0.1", int(dstack.url.rpartition(":")[2])))


@pytest.fixture
def unix_place(unix: tuple[Arena, Remote, Path]) -> ListenAddress:
    """The address of the DStack on a unix socket."""
    _, dstack, path = unix
    return ListenAddress(dstack, socket.AF_UNIX, str(path))


def test_port_without_a_listener_is_refused(
    tcp: tuple[Arena, Remote], tcp_place: ListenAddress
) -> None:
    """So are all connections."""
    tcp[0].endure(tcp_place.abandon, tcp_place.restore, *REFUSED)


def test_port_where_nothing_is_accepted_times_out(
    tcp: tuple[Arena, Remote], tcp_place: ListenAddress
) -> None:
    """A process that hangs: the kernel accepts, and there is no answer."""
    tcp[0].endure(lambda: tcp_place.take(100), tcp_place.restore, *TIMED_OUT)


def test_port_with_a_full_backlog_times_out(
    tcp: tuple[Arena, Remote], tcp_place: ListenAddress
) -> None:
    """The kernel drops packets, as a firewall does."""
    tcp[0].endure(lambda: tcp_place.take(0, waiting=3), tcp_place.restore, *TIMED_OUT)


def test_missing_socket_is_not_found(
    unix: tuple[Arena, Remote, Path], unix_place: ListenAddress
) -> None:
    """Nothing is at the path."""
    unix[0].endure(unix_place.abandon, unix_place.restore, *NOT_FOUND)


def test_socket_of_a_killed_process_is_refused(
    unix: tuple[Arena, Remote, Path], unix_place: ListenAddress
) -> None:
    """The file is still there."""
    unix[0].endure(lambda: unix_place.take(None), unix_place.restore, *REFUSED)


def test_socket_where_nothing_is_accepted_times_out(
    unix: tuple[Arena, Remote, Path], unix_place: ListenAddress
) -> None:
    """A process that hangs behind its socket."""
    unix[0].endure(lambda: unix_place.take(100), unix_place.restore, *TIMED_OUT)


def test_socket_with_a_full_backlog_times_out(
    unix: tuple[Arena, Remote, Path], unix_place: ListenAddress
) -> None:
    """As on TCP."""
    unix[0].endure(lambda: unix_place.take(0, waiting=3), unix_place.restore, *TIMED_OUT)


@pytest.mark.parametrize("what", ["file", "folder"])
def test_other_file_in_place_of_the_socket_is_refused(
    unix: tuple[Arena, Remote, Path], unix_place: ListenAddress, what: str
) -> None:
    """A file or a folder."""
    path = unix[2]

    def begin() -> None:
        unix_place.abandon()
        if what == "file":
            path.touch()
        else:
            path.mkdir()

    def end() -> None:
        if what == "folder":
            path.rmdir()
        unix_place.restore()

    unix[0].endure(begin, end, *REFUSED)
