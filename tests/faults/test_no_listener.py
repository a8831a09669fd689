"""Nobody behind the address, or somebody who does not accept: TCP and unix sockets."""

import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from dstack_backend.domain import Reason
from dstack_backend.testing.simulated_dstack import Remote, SimulatedDStack, in_thread
from tests.contract.process.service import Service
from tests.faults.arena import Arena
from tests.faults.polling import Poller

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


class RuntimeEnvironment:
    """Where a DStack listened, for somebody else to take while it is away."""

    def __init__(self, dstack: Remote, family: socket.AddressFamily, address: object) -> None:
        """Keep what has to be put back."""
        self._dstack = dstack
        self._family = family
        self._address = address
        self._taken = ExitStack()

    def abandon(self) -> None:
        """Let DStack die, and leave nothing behind."""
        self._dstack.crash()
        if isinstance(self._address, str):
            Path(self._address).unlink(missing_ok=True)

    def take(self, backlog: int | None, waiting: int = 0) -> None:
        """Let somebody else bind its address.

        Args:
            backlog: How many connections the kernel accepts for him; `None`: he does not listen.
            waiting: How many clients fill that up.
        """
        self.abandon()
        squatter = self._taken.enter_context(socket.socket(self._family))
        squatter.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        squatter.bind(self._address)  # type: ignore[arg-type]  # of the family's kind
        if backlog is not None:
            squatter.listen(backlog)
        for _ in range(waiting):
            client = self._taken.enter_context(socket.socket(self._family))
            client.settimeout(0)
            client.connect_ex(self._address)  # type: ignore[arg-type]  # of the family's kind

    def restore(self) -> None:
        """Give the place back."""
        self._taken.close()
        if isinstance(self._address, str):
            Path(self._address).unlink(missing_ok=True)
        self._dstack.revive()


@pytest.fixture
def tcp_place(tcp: tuple[Arena, Remote]) -> RuntimeEnvironment:
    """Where the DStack on TCP listens."""
    _, dstack = tcp
    return RuntimeEnvironment(
        dstack, socket.AF_INET, ("127.0.0.1", int(dstack.url.rpartition(":")[2]))
    )


@pytest.fixture
def unix_place(unix: tuple[Arena, Remote, Path]) -> RuntimeEnvironment:
    """Where the DStack on a unix socket listens."""
    _, dstack, path = unix
    return RuntimeEnvironment(dstack, socket.AF_UNIX, str(path))


def test_nobody_listens_on_the_port(
    tcp: tuple[Arena, Remote], tcp_place: RuntimeEnvironment
) -> None:
    """Connection refused."""
    tcp[0].endure(tcp_place.abandon, tcp_place.restore, *REFUSED)


def test_nobody_accepts_on_the_port(
    tcp: tuple[Arena, Remote], tcp_place: RuntimeEnvironment
) -> None:
    """A process that hangs: the kernel accepts for it, and no answer comes."""
    tcp[0].endure(lambda: tcp_place.take(100), tcp_place.restore, *TIMED_OUT)


def test_the_port_drops_whoever_comes(
    tcp: tuple[Arena, Remote], tcp_place: RuntimeEnvironment
) -> None:
    """With its queue full the kernel answers nothing at all, as a firewall that drops does."""
    tcp[0].endure(lambda: tcp_place.take(0, waiting=3), tcp_place.restore, *TIMED_OUT)


def test_the_socket_is_gone(
    unix: tuple[Arena, Remote, Path], unix_place: RuntimeEnvironment
) -> None:
    """Socket not found."""
    unix[0].endure(unix_place.abandon, unix_place.restore, *NOT_FOUND)


def test_the_socket_is_a_dead_ones(
    unix: tuple[Arena, Remote, Path], unix_place: RuntimeEnvironment
) -> None:
    """What a killed DStack leaves behind refuses."""
    unix[0].endure(lambda: unix_place.take(None), unix_place.restore, *REFUSED)


def test_nobody_accepts_on_the_socket(
    unix: tuple[Arena, Remote, Path], unix_place: RuntimeEnvironment
) -> None:
    """A process that hangs behind its socket."""
    unix[0].endure(lambda: unix_place.take(100), unix_place.restore, *TIMED_OUT)


def test_the_sockets_queue_is_full(
    unix: tuple[Arena, Remote, Path], unix_place: RuntimeEnvironment
) -> None:
    """It waits for a place in the queue, as on TCP."""
    unix[0].endure(lambda: unix_place.take(0, waiting=3), unix_place.restore, *TIMED_OUT)


@pytest.mark.parametrize("what", ["file", "folder"])
def test_the_socket_is_no_socket(
    unix: tuple[Arena, Remote, Path], unix_place: RuntimeEnvironment, what: str
) -> None:
    """A file or a folder in its place refuses too."""
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
