"""Tests of the check of the unix socket."""

import os
import socket
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from dstack_backend.app.doctor.dstack.socket_file import PathInfo, check_socket, inspect_path
from dstack_backend.app.doctor.environment import RuntimeEnvironment
from dstack_backend.app.doctor.finding import Finding, Verdict
from dstack_backend.domain.check import CheckFailure, Reason

HOST = RuntimeEnvironment(uid=10001, gids=(10001,))
DOCKER = RuntimeEnvironment("Docker", own_network=True, uid=10001, gids=(10001,))
PATH = Path("/run/dstack/vmm.sock")
CLOSED = PathInfo(PATH, PATH, os.stat_result((stat.S_IFSOCK | 0o755, *[0] * 9)))
CONNECTED = 0.001
REFUSED = CheckFailure(Reason.CONNECTION_REFUSED)
NOT_FOUND = CheckFailure(Reason.SOCKET_NOT_FOUND)
DENIED = CheckFailure(Reason.PERMISSION_DENIED)


@pytest.fixture
def socket_path(tmp_path: Path) -> Iterator[Path]:
    """The path of a socket that nothing listens on."""
    path = tmp_path / "vmm.sock"
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))
        yield path


def check(
    path: Path, result: float | CheckFailure, environment: RuntimeEnvironment = HOST
) -> Finding:
    """Check a real path, after this result of connecting to it."""
    return check_socket(inspect_path(path), result, environment)


@pytest.mark.parametrize("result", [CONNECTED, REFUSED, CheckFailure(Reason.TIMED_OUT)])
def test_socket_is_ok_where_only_the_connection_fails(
    socket_path: Path, result: float | CheckFailure
) -> None:
    """The step after it reports the connection."""
    found = check(socket_path, result)
    assert found.verdict is Verdict.OK
    assert found.text.startswith(f"{socket_path} (s")
    assert found.text.endswith("is a socket")


def test_permissions_decide_nothing_where_the_connection_succeeded() -> None:
    """Access lists and capabilities give rights that the mode does not show."""
    assert check_socket(CLOSED, CONNECTED, HOST).verdict is Verdict.OK


def test_first_missing_part_of_the_path_is_named(tmp_path: Path) -> None:
    """A folder that is not mounted needs another remedy than a DStack that does not run."""
    found = check(tmp_path / "no" / "such" / "vmm.sock", NOT_FOUND)
    assert (found.verdict, found.reason) == (Verdict.FAILED, Reason.SOCKET_NOT_FOUND)
    assert found.text == f"{tmp_path / 'no'} does not exist"
    assert "is DStack running" in found.remedies[0]
    in_docker = check(tmp_path / "vmm.sock", NOT_FOUND, DOCKER)
    assert f"-v /path:{tmp_path}:ro" in in_docker.remedies[0]


def test_file_is_not_a_socket(tmp_path: Path) -> None:
    """Linux refuses a connection to it."""
    file = tmp_path / "file"
    file.touch()
    found = check(file, REFUSED)
    assert (found.verdict, found.reason) == (Verdict.FAILED, Reason.CONNECTION_REFUSED)
    assert "not a socket" in found.text


def test_folder_is_not_a_socket(tmp_path: Path) -> None:
    """Docker creates a folder where the file to mount does not exist."""
    found = check(tmp_path, REFUSED, DOCKER)
    assert found.verdict is Verdict.FAILED
    assert "not a socket" in found.text
    assert "Docker creates a folder" in found.remedies[0]
    assert "path of DStack's socket" in check(tmp_path, REFUSED).remedies[0]


@pytest.mark.parametrize("detail", ["too many levels of symbolic links", "not a directory"])
def test_path_that_leads_nowhere_is_reported_with_the_detail(tmp_path: Path, detail: str) -> None:
    """The reason is that of a check."""
    path = tmp_path / "loop" / "vmm.sock"
    path.parent.symlink_to(path.parent)
    found = check(path, CheckFailure(Reason.CONNECTION_FAILED, detail))
    assert (found.verdict, found.reason) == (Verdict.FAILED, Reason.CONNECTION_FAILED)
    assert found.text == f"cannot connect to {path}: {detail}"


def test_missing_write_permission_names_owner_and_user() -> None:
    """The remedy is for the user of the service."""
    found = check_socket(CLOSED, DENIED, DOCKER)
    assert (found.verdict, found.reason) == (Verdict.FAILED, Reason.PERMISSION_DENIED)
    assert "owner 0:0" in found.text
    assert "uid 10001, gids 10001" in found.text
    assert "setfacl -m u:10001:rw" in found.remedies[0]
    assert "--user" in found.remedies[1]


def test_folder_that_must_not_be_entered_is_named() -> None:
    """Permissions of the socket do not help where its folder is closed."""
    closed = PathInfo(PATH, PATH.parent)
    found = check_socket(closed, DENIED, HOST)
    assert found.reason is Reason.PERMISSION_DENIED
    assert "may not enter the folder /run/dstack" in found.text
    assert found.remedies[0] == "setfacl -m u:10001:x /run/dstack"
