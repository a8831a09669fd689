"""The doctor: who has the address that we answer on."""

import errno
import os
import socket
from contextlib import closing
from pathlib import Path

import pytest

from dstack_backend.app.config.settings import ListenAddress
from dstack_backend.app.doctor.finding import Verdict
from dstack_backend.app.doctor.listen import check_listen, really_at
from dstack_backend.app.doctor.port_owners import PortOwner, port_owners
from dstack_backend.app.doctor.running_service import RunningService
from dstack_backend.domain import Reason, Status

LISTEN = ListenAddress("0.0.0.0", 8080)
TAKEN = OSError(errno.EADDRINUSE, "Address already in use")


@pytest.mark.parametrize(("host", "shown"), [("127.0.0.1", "127.0.0.1"), ("::1", "[::1]")])
def test_the_process_that_listens_is_found(host: str, shown: str) -> None:
    """By the kernel's own tables, over IPv4 and IPv6; here it is this one."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with closing(socket.create_server((host, 0), family=family)) as server:
        port = server.getsockname()[1]
        (found,) = port_owners(port, Path("/"))
    assert (found.address, found.pid) == (f"{shown}:{port}", os.getpid())
    assert found.name


def test_a_port_without_a_listener_has_no_holder() -> None:
    """Nor has one to which a socket is bound that does not listen."""
    with socket.socket() as idle:
        idle.bind(("127.0.0.1", 0))
        assert port_owners(idle.getsockname()[1], Path("/")) == ()


def test_where_rights_or_tables_are_missing_less_is_told(tmp_path: Path) -> None:
    """A socket whose process is not seen has none; without /proc there is nothing to tell."""
    assert port_owners(8080, tmp_path) == ()
    table = tmp_path / "proc/net/tcp"
    table.parent.mkdir(parents=True)
    row = "0: 00000000:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000 0 0 4242 1"
    table.write_text(f"head\n{row}\n")
    assert port_owners(8080, tmp_path) == (PortOwner("0.0.0.0:8080"),)


def test_a_free_address_is_fine() -> None:
    """And so the service does not run there."""
    assert check_listen(LISTEN, None).verdict is Verdict.OK


def test_our_own_service_is_fine_and_its_status_told() -> None:
    """Whatever its status: the address is where it should be."""
    ours = RunningService("dstack-backend", "1.0.0", Status.UNAVAILABLE, Reason.STALE)
    found = check_listen(LISTEN, TAKEN, (), ours)
    assert found.verdict is Verdict.OK
    assert found.text.endswith("version 1.0.0, unavailable (stale)")


@pytest.mark.parametrize(
    ("host", "holders_at", "at"),
    [
        ("0.0.0.0", ["127.0.0.1:8080"], "127.0.0.1"),
        ("127.0.0.1", ["0.0.0.0:8080"], "0.0.0.0"),
        ("0.0.0.0", ["[::]:8080"], "::"),
        ("::", ["[::1]:8080", "127.0.0.1:8080"], "::1"),
        ("0.0.0.0", ["192.0.2.1:8080", "127.0.0.1:8080"], "127.0.0.1"),
        ("0.0.0.0", ["127.0.0.1:8080", "0.0.0.0:8080"], "0.0.0.0"),
        ("0.0.0.0", [], "0.0.0.0"),
        ("localhost", ["127.0.0.1:8080"], "localhost"),
    ],
)
def test_our_own_service_is_told_where_it_really_runs(
    host: str, holders_at: list[str], at: str
) -> None:
    """A worker elsewhere does not reach one on loopback, whatever LISTEN_ADDR says here."""
    ours = RunningService("dstack-backend", "1.0.0", Status.AVAILABLE)
    listen, real = ListenAddress(host, 8080), ListenAddress(at, 8080)
    who = [PortOwner(each) for each in holders_at]
    assert really_at(listen, who) == real
    found = check_listen(listen, TAKEN, who, ours)
    assert found.text.startswith(f"our own service runs on {real}")
    assert (found.verdict is Verdict.OK) == (real == listen)
    assert found.verdict is Verdict.OK or f"LISTEN_ADDR={real}" in found.remedies[0]


def test_another_program_is_named() -> None:
    """By name and process; the cure is another port."""
    found = check_listen(LISTEN, TAKEN, (PortOwner("0.0.0.0:8080", 42, "nginx"),))
    assert found.verdict is Verdict.FAILED
    assert "nginx (pid 42), on 0.0.0.0:8080" in found.text
    assert "LISTEN_ADDR=0.0.0.0:8081" in found.remedies[0]


def test_a_program_that_we_may_not_see_is_for_root_to_see() -> None:
    """The command is told."""
    found = check_listen(LISTEN, TAKEN, (PortOwner("0.0.0.0:8080"),))
    assert "may not see" in found.text
    assert "ss -ltnp 'sport = :8080'" in found.remedies[0]


@pytest.mark.parametrize(
    ("fault", "cure"),
    [
        (PermissionError(errno.EACCES, "Permission denied"), "below 1024"),
        (OSError(errno.EADDRNOTAVAIL, "Cannot assign requested address"), "of this machine"),
        (socket.gaierror(socket.EAI_NONAME, "Name or service not known"), "an address"),
    ],
)
def test_an_address_that_cannot_be_ours_has_its_cure(fault: OSError, cure: str) -> None:
    """Rights, foreign addresses, unknown names."""
    found = check_listen(LISTEN, fault)
    assert found.verdict is Verdict.FAILED
    assert cure in found.remedies[0]


def test_a_service_on_all_addresses_is_met_on_loopback() -> None:
    """0.0.0.0 is no address to connect to."""
    assert LISTEN.connect_address == ListenAddress("127.0.0.1", 8080)
    assert ListenAddress("::", 1).connect_address == ListenAddress("::1", 1)
    assert ListenAddress("192.0.2.1", 1).connect_address == ListenAddress("192.0.2.1", 1)
