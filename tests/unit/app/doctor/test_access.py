"""The doctor: the socket file, the connection, TLS."""

import socket
import stat
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from dstack_backend.adapters.httpx_dstack import parse_address
from dstack_backend.adapters.httpx_dstack.errors import CERTIFICATE_FAULTS
from dstack_backend.adapters.httpx_dstack.probe import Certificate, Handshake
from dstack_backend.app.doctor.connection import check_connection, check_tls
from dstack_backend.app.doctor.environment import RuntimeEnvironment
from dstack_backend.app.doctor.finding import Finding, Verdict
from dstack_backend.app.doctor.socket_file import ProcessUser, SocketFile, check_socket, look_at
from dstack_backend.domain.check import CheckFailure, Reason

US = ProcessUser(10001, (10001,))
HOST = RuntimeEnvironment()
DOCKER = RuntimeEnvironment("Docker", own_network=True)
PATH = Path("/run/dstack/vmm.sock")
NOW = datetime(2026, 1, 1, tzinfo=UTC)
TLS = parse_address("https://dstack.example:19060")
LOCAL = parse_address("http://localhost:19060")
REFUSED = CheckFailure(Reason.CONNECTION_REFUSED)


@pytest.fixture
def bound(tmp_path: Path) -> Iterator[Path]:
    """A socket that is there."""
    path = tmp_path / "vmm.sock"
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))
        yield path


def at(path: Path) -> Finding:
    """What is said of a path."""
    return check_socket(look_at(path), US, HOST)


def test_a_socket_that_we_may_open_is_fine(bound: Path) -> None:
    """The file is looked at, not opened."""
    assert at(bound).verdict is Verdict.OK


def test_the_first_missing_part_of_the_path_is_named(tmp_path: Path) -> None:
    """A folder that is not mounted is another fault than a DStack that does not run."""
    found = at(tmp_path / "no" / "such" / "vmm.sock")
    assert (found.verdict, found.reason) == (Verdict.FAILED, Reason.SOCKET_NOT_FOUND)
    assert found.text == f"{tmp_path / 'no'} does not exist"


def test_a_file_and_a_folder_are_no_sockets(tmp_path: Path) -> None:
    """Docker makes a folder where the file that it should mount is not there."""
    file = tmp_path / "file"
    file.touch()
    assert "not a socket" in at(file).text
    found = check_socket(look_at(tmp_path), US, DOCKER)
    assert found.verdict is Verdict.FAILED
    assert "Docker makes a folder" in found.remedies[0]


def test_a_path_through_a_file_is_missing(tmp_path: Path) -> None:
    """No folder can be below a file."""
    (tmp_path / "file").touch()
    assert at(tmp_path / "file" / "vmm.sock").reason is Reason.SOCKET_NOT_FOUND


def test_links_in_a_circle_are_not_told_as_missing(tmp_path: Path) -> None:
    """They are there, and lead nowhere; the reason is that of a check."""
    path = tmp_path / "vmm.sock"
    path.symlink_to(path)
    found = at(path)
    assert (found.verdict, found.reason) == (Verdict.FAILED, Reason.CONNECTION_FAILED)
    assert found.text == f"{path} cannot be looked at: too many levels of symbolic links"


def test_a_socket_without_rights_names_its_owner_and_us() -> None:
    """Both are needed to see what is wrong; the cure is for our user."""
    closed = SocketFile(path=PATH, met=PATH, mode=stat.S_IFSOCK | 0o755, owner=(0, 0))
    found = check_socket(closed, US, DOCKER)
    assert (found.verdict, found.reason) == (Verdict.FAILED, Reason.PERMISSION_DENIED)
    assert "owner 0:0" in found.text
    assert "uid 10001, gids 10001" in found.text
    assert "setfacl -m u:10001:rw" in found.remedies[0]
    assert "--user" in found.remedies[1]


def test_a_folder_that_we_may_not_enter_is_named() -> None:
    """Rights on the socket do not help where its folder is closed."""
    closed = SocketFile(path=PATH, met=PATH.parent)
    found = check_socket(closed, US, HOST)
    assert found.reason is Reason.PERMISSION_DENIED
    assert "may not enter the folder /run/dstack" in found.text


def test_one_address_that_is_reached_is_enough() -> None:
    """What the others said is told."""
    found = check_connection({"::1": REFUSED, "127.0.0.1": 0.001}, LOCAL, HOST)
    assert found.verdict is Verdict.OK
    assert found.text == "connected to 127.0.0.1 in 1.0 ms (::1: connection refused)"
    assert found.seconds == 0.001


@pytest.mark.parametrize(
    ("url", "environment", "failure", "cure"),
    [
        ("http://localhost:19060", HOST, REFUSED, "ss -ltn 'sport = :19060'"),
        ("http://localhost:19060", DOCKER, REFUSED, "host.docker.internal:19060"),
        ("http://host.docker.internal:1", DOCKER, REFUSED, "127.0.0.1 only"),
        ("http://192.0.2.1", HOST, CheckFailure(Reason.TIMED_OUT), "firewall"),
        ("unix:/vmm.sock", HOST, REFUSED, "is DStack running"),
        ("unix:/vmm.sock", DOCKER, REFUSED, "mount the socket's folder"),
        ("unix:/vmm.sock", HOST, CheckFailure(Reason.CONNECTION_FAILED), "path in DSTACK_URL"),
    ],
)
def test_a_connection_that_fails_has_a_cure_that_fits(
    url: str, environment: RuntimeEnvironment, failure: CheckFailure, cure: str
) -> None:
    """It depends on the address, on where we run, and on the reason."""
    found = check_connection({"there": failure}, parse_address(url), environment)
    assert (found.verdict, found.reason) == (Verdict.FAILED, failure.reason)
    assert any(cure in each for each in found.remedies)


def shown(days: float) -> Certificate:
    """A certificate that ends in so many days."""
    return Certificate(NOW + timedelta(days=days), ("dstack.example",))


def test_a_trusted_certificate_is_shown_with_its_end() -> None:
    """For whom, and until when."""
    found = check_tls(Handshake(None, shown(90)), TLS, NOW)
    assert found.verdict is Verdict.OK
    assert "for dstack.example; ends 2026-04-01 00:00 UTC" in found.text


def test_a_certificate_that_ends_soon_is_a_warning() -> None:
    """Two weeks are left for renewing it."""
    assert check_tls(Handshake(None, shown(13)), TLS, NOW).verdict is Verdict.WARNING


@pytest.mark.parametrize(
    ("detail", "cure"),
    [
        ("TLS failed: the certificate has expired", "renew"),
        ("TLS failed: the certificate is for another host", "name of the certificate"),
        ("TLS failed: the certificate is self-signed and not trusted", "DSTACK_CA_FILE"),
        ("", "speak TLS"),
    ],
)
def test_each_fault_of_tls_has_its_cure(detail: str, cure: str) -> None:
    """Dates, names, trust, and no TLS at all."""
    handshake = Handshake(CheckFailure(Reason.TLS_FAILED, detail), None)
    found = check_tls(handshake, TLS, NOW)
    assert (found.verdict, found.reason) == (Verdict.FAILED, Reason.TLS_FAILED)
    assert cure in found.remedies[0]


@pytest.mark.parametrize(
    "detail",
    [
        "TLS failed: bad certificate",
        *(f"TLS failed: {each}" for each in CERTIFICATE_FAULTS.values()),
    ],
)
def test_a_fault_of_a_certificate_is_never_cured_by_doing_without_tls(detail: str) -> None:
    """A token would go unencrypted to whoever answers there."""
    found = check_tls(Handshake(CheckFailure(Reason.TLS_FAILED, detail), None), TLS, NOW)
    assert found.remedies
    assert not any("http://" in each for each in found.remedies)


def test_names_of_a_certificate_are_shown_as_harmless_text() -> None:
    """They are the other side's: no control characters, not many, not long."""
    hostile = Certificate(NOW, ("\x1b[2J\n" * 99,) * 99)
    text = check_tls(Handshake(None, hostile), TLS, NOW).text
    assert text.isprintable()
    assert len(text) < 1000
