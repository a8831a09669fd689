"""Notifications to systemd, over a real datagram socket."""

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from dstack_backend.adapters.systemd_notify import notify_systemd


@pytest.fixture
def receiver() -> Iterator[socket.socket]:
    """Return a socket as systemd has one."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as receiver:
        receiver.settimeout(5)
        yield receiver


def test_state_is_sent_to_a_path(
    receiver: socket.socket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As most systems have it."""
    receiver.bind(str(tmp_path / "notify"))
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
    notify_systemd("READY=1")
    assert receiver.recv(100) == b"READY=1"


def test_state_is_sent_to_an_abstract_socket(
    receiver: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its address begins with @."""
    receiver.bind("")  # the system chooses an abstract address
    monkeypatch.setenv("NOTIFY_SOCKET", "@" + receiver.getsockname()[1:].decode())
    notify_systemd("READY=1")
    assert receiver.recv(100) == b"READY=1"


def test_receiver_that_does_not_read_is_not_waited_for(
    receiver: socket.socket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The queue of the socket is full after some hundred states."""
    receiver.bind(str(tmp_path / "notify"))
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
    for _ in range(2000):
        notify_systemd("WATCHDOG=1")


@pytest.mark.parametrize("address", [None, "", "/nowhere/notify", "@nowhere", "vsock:2:1", "x"])
def test_nothing_happens_without_a_socket(
    address: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Outside of systemd, or where its socket is gone."""
    if address is None:
        monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    else:
        monkeypatch.setenv("NOTIFY_SOCKET", address)
    notify_systemd("READY=1")
