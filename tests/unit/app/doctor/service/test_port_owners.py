"""Tests of the processes that listen on a port."""

import os
import socket
from contextlib import closing
from pathlib import Path

import pytest

from dstack_backend.app.config.settings import ListenAddress
from dstack_backend.app.doctor.service.port_owners import port_owners


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_listening_process_is_found(host: str) -> None:
    """In the kernel's own tables, over IPv4 and IPv6; here it is this process."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with closing(socket.create_server((host, 0), family=family)) as server:
        port = server.getsockname()[1]
        found = port_owners(port, Path("/"))
    assert list(found) == [ListenAddress(host, port)]
    name, _, pid = found[ListenAddress(host, port)].partition(" (pid ")
    assert name
    assert pid == f"{os.getpid()})"


def test_port_without_a_listener_has_no_owner() -> None:
    """Nor has one to which a socket is bound that does not listen."""
    with socket.socket() as idle:
        idle.bind(("127.0.0.1", 0))
        assert port_owners(idle.getsockname()[1], Path("/")) == {}


def test_socket_of_another_user_has_no_process(tmp_path: Path) -> None:
    """Without /proc there is no owner at all."""
    assert port_owners(8080, tmp_path) == {}
    table = tmp_path / "proc/net/tcp"
    table.parent.mkdir(parents=True)
    row = "0: 00000000:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000 0 0 4242 1"
    table.write_text(f"head\n{row}\n")
    assert port_owners(8080, tmp_path) == {
        ListenAddress("0.0.0.0", 8080): "a process of another user"
    }
