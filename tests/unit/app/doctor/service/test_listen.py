"""Tests of the check of the address that the service listens on."""

import errno
import socket

import pytest

from dstack_backend.app.config.settings import ListenAddress
from dstack_backend.app.doctor.finding import Verdict
from dstack_backend.app.doctor.service.listen import (
    ListenProbe,
    RunningService,
    check_listen,
)
from dstack_backend.domain import Reason, Status

LISTEN = ListenAddress("0.0.0.0", 8080)
TAKEN = OSError(errno.EADDRINUSE, "Address already in use")


def test_free_address_is_ok() -> None:
    """The service does not run there."""
    assert check_listen(ListenProbe(LISTEN)).verdict is Verdict.OK


def test_running_service_is_ok_whatever_its_status() -> None:
    """Its version and status are shown."""
    service = RunningService("dstack-backend", "1.0.0", Status.UNAVAILABLE, Reason.STALE)
    found = check_listen(ListenProbe(LISTEN, TAKEN, service=service))
    assert found.verdict is Verdict.OK
    assert found.text.endswith("version 1.0.0, unavailable (stale)")


@pytest.mark.parametrize(
    ("host", "owner_hosts", "actual"),
    [
        ("0.0.0.0", ["127.0.0.1"], "127.0.0.1"),
        ("127.0.0.1", ["0.0.0.0"], "0.0.0.0"),
        ("0.0.0.0", ["::"], "::"),
        ("*", ["::"], "*"),
        ("*", ["0.0.0.0"], "*"),
        ("*", ["127.0.0.1"], "127.0.0.1"),
        ("::", ["::1", "127.0.0.1"], "::1"),
        ("0.0.0.0", ["192.0.2.1", "127.0.0.1"], "127.0.0.1"),
        ("0.0.0.0", ["127.0.0.1", "0.0.0.0"], "0.0.0.0"),
        ("0.0.0.0", [], "0.0.0.0"),
        ("localhost", ["127.0.0.1"], "localhost"),
    ],
)
def test_actual_address_of_the_running_service_is_shown(
    host: str, owner_hosts: list[str], actual: str
) -> None:
    """A worker elsewhere cannot reach one on loopback, whatever LISTEN_ADDR is here."""
    service = RunningService("dstack-backend", "1.0.0", Status.AVAILABLE)
    listen, real = ListenAddress(host, 8080), ListenAddress(actual, 8080)
    owners = {ListenAddress(each, 8080): "dstack-backend (pid 42)" for each in owner_hosts}
    probe = ListenProbe(listen, TAKEN, owners, service)
    assert probe.actual_address == real
    found = check_listen(probe)
    assert found.text.startswith(f"dstack-backend runs on {real}")
    assert (found.verdict is Verdict.OK) == (real == listen)
    assert found.verdict is Verdict.OK or f"LISTEN_ADDR={real}" in found.remedies[0]


def test_address_is_that_of_the_settings_where_no_service_runs() -> None:
    """The address of another program means nothing."""
    owners = {ListenAddress("127.0.0.1", 8080): "nginx (pid 42)"}
    assert ListenProbe(LISTEN, TAKEN, owners).actual_address == LISTEN


def test_other_program_is_named() -> None:
    """By name and process; the remedy is another port."""
    found = check_listen(ListenProbe(LISTEN, TAKEN, {LISTEN: "nginx (pid 42)"}))
    assert found.verdict is Verdict.FAILED
    assert "nginx (pid 42), on 0.0.0.0:8080" in found.text
    assert "LISTEN_ADDR=*:8081" in found.remedies[0]


def test_process_of_another_user_is_for_root_to_show() -> None:
    """The remedy is the command."""
    found = check_listen(ListenProbe(LISTEN, TAKEN, {LISTEN: "a process of another user"}))
    assert "a process of another user, on 0.0.0.0:8080" in found.text
    assert "ss -ltnp 'sport = :8080'" in found.remedies[0]


@pytest.mark.parametrize(
    ("error", "remedy"),
    [
        (PermissionError(errno.EACCES, "Permission denied"), "below 1024"),
        (OSError(errno.EADDRNOTAVAIL, "Cannot assign requested address"), "of this machine"),
        (socket.gaierror(socket.EAI_NONAME, "Name or service not known"), "an address"),
        (OSError(errno.ETIMEDOUT, "the name look-up takes too long"), "an address"),
    ],
)
def test_unusable_address_has_its_remedy(error: OSError, remedy: str) -> None:
    """A privileged port, an address of another machine, a name that cannot be resolved."""
    found = check_listen(ListenProbe(LISTEN, error))
    assert found.verdict is Verdict.FAILED
    assert str(error.strerror).lower() in found.text
    assert remedy in found.remedies[0]


def test_client_connects_to_loopback_where_the_service_listens_on_all_addresses() -> None:
    """*, 0.0.0.0 and :: are not addresses to connect to."""
    assert ListenAddress("*", 8080).connect_address == ListenAddress("localhost", 8080)
    assert LISTEN.connect_address == ListenAddress("127.0.0.1", 8080)
    assert ListenAddress("::", 1).connect_address == ListenAddress("::1", 1)
    assert ListenAddress("192.0.2.1", 1).connect_address == ListenAddress("192.0.2.1", 1)
