"""Tests of the check of the history. Whatever is wrong with it, the service works."""

import asyncio
import errno
import os
from datetime import UTC, datetime
from pathlib import Path

import pytest
from msgspec.structs import replace

from dstack_backend.adapters.sqlite_history import FILE, SqliteHistory
from dstack_backend.app.doctor.environment import RuntimeEnvironment
from dstack_backend.app.doctor.finding import Finding, Verdict
from dstack_backend.app.doctor.service.history import HistoryProbe, check_history, probe_history
from dstack_backend.domain.history import HistoryError

HOST = RuntimeEnvironment(uid=10001)
DOCKER = RuntimeEnvironment("Docker", own_network=True, uid=10001)
GOOD = HistoryProbe(folder=Path("/data"), existing=Path("/data"), free=80_000_000_000)


def check(
    probe: HistoryProbe | None,
    environment: RuntimeEnvironment = HOST,
    *,
    is_running: bool = False,
) -> Finding:
    """Check the result of a probe."""
    return check_history(probe, environment, is_running=is_running)


def check_folder(folder: Path, *, is_running: bool = False) -> Finding:
    """Check a real folder, on a disk with enough space."""
    probe = asyncio.run(probe_history(folder, Path("/"), 5))
    return check(replace(probe, free=GOOD.free), is_running=is_running)


def error_from(cause: OSError) -> HistoryError:
    """Return the error that this one causes."""
    error = HistoryError(str(cause.strerror))
    error.__cause__ = cause
    return error


def test_missing_folder_is_ok_and_not_created(tmp_path: Path) -> None:
    """The service creates it, possibly as another user."""
    found = check_folder(tmp_path / "no" / "data")
    assert (found.verdict, "will be created" in found.text) == (Verdict.OK, True)
    assert list(tmp_path.iterdir()) == []


def test_file_that_no_service_uses_is_ok(tmp_path: Path) -> None:
    """It is opened as the service opens it, and released."""
    SqliteHistory(tmp_path).close()
    found = check_folder(tmp_path)
    assert found.verdict is Verdict.OK
    assert found.text == f"{tmp_path / FILE}: 0.0 MB; 80000 MB free"
    SqliteHistory(tmp_path).close()


def test_history_of_the_running_service_is_ok_and_unchanged(tmp_path: Path) -> None:
    """The running service has locked it."""
    history = SqliteHistory(tmp_path)
    history.append([], datetime(2026, 1, 1, tzinfo=UTC), None)
    before = {each.name: each.stat().st_size for each in tmp_path.iterdir()}
    found = check_folder(tmp_path, is_running=True)
    after = {each.name: each.stat().st_size for each in tmp_path.iterdir()}
    history.close()
    assert found.verdict is Verdict.OK
    assert found.text == f"{tmp_path / FILE}: 0.0 MB; 80000 MB free"
    assert after == before


def test_history_locked_by_another_service_is_a_warning(tmp_path: Path) -> None:
    """Two services cannot save to one file."""
    history = SqliteHistory(tmp_path)
    found = check_folder(tmp_path)
    history.close()
    assert found.verdict is Verdict.WARNING
    assert f"another dstack-backend writes to {tmp_path}" in found.text
    assert "its own DATA_DIR" in found.remedies[0]


def test_corrupt_file_is_reported_and_not_quarantined(tmp_path: Path) -> None:
    """Quarantine is up to the service."""
    SqliteHistory(tmp_path).close()
    (tmp_path / FILE).write_bytes(b"no database" * 1000)
    before = sorted(tmp_path.iterdir())
    found = check_folder(tmp_path)
    assert (found.verdict, "file is not a database" in found.text) == (Verdict.WARNING, True)
    assert "quarantines a corrupt file" in found.remedies[0]
    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.parametrize("below", ["", "data"])
def test_file_in_the_place_of_the_folder_is_a_warning(tmp_path: Path, below: str) -> None:
    """Or in the place of a folder above it."""
    file = tmp_path / "file"
    file.touch()
    found = check_folder(file / below)
    assert found.verdict is Verdict.WARNING
    assert f"{file / below} cannot be used: " in found.text
    assert found.remedies[0].startswith(f"{file} must be a folder")


def test_history_that_is_off_is_ok() -> None:
    """It is kept in memory."""
    found = check(None)
    assert found.verdict is Verdict.OK
    assert "HISTORY=off" in found.text


def test_denied_folder_names_the_user_in_the_remedy() -> None:
    """On a host the permissions, in a container the volume."""
    error = error_from(PermissionError(errno.EACCES, "permission denied"))
    denied = replace(GOOD, error=error)
    found = check(denied)
    assert found.verdict is Verdict.WARNING
    assert found.text.startswith("/data cannot be used: permission denied")
    assert found.remedies[0] == "setfacl -m u:10001:rwx /data"
    assert "-v dstack-history:/data" in check(denied, DOCKER).remedies[0]
    with_file = check(replace(denied, size=1))
    assert with_file.remedies[0] == "setfacl -R -m u:10001:rwX /data"


def test_other_errors_are_reported_as_the_service_would() -> None:
    """Such as those of a network file system without locks."""
    error = error_from(OSError(errno.ENOLCK, "no locks available"))
    found = check(replace(GOOD, error=error))
    assert found.text.startswith("/data cannot be used: no locks available")
    assert "folder of a local disk" in found.remedies[0]


@pytest.mark.parametrize("kind", ["nfs", "nfs4", "cifs", "smb3", "9p", "fuse.sshfs", "virtiofs"])
def test_network_file_system_explains_an_error(tmp_path: Path, kind: str) -> None:
    """Without an error it is not mentioned: its locks may work."""
    data, root = tmp_path / "data", tmp_path / "root"
    make_mount_table(root, data, kind)
    good = asyncio.run(probe_history(data, root, 5))
    assert check(replace(good, free=GOOD.free)).verdict is Verdict.OK
    failed = replace(good, error=error_from(OSError(errno.ENOLCK, "no locks available")))
    assert check(failed).remedies[0].startswith("set DATA_DIR to a folder of a local disk: ")
    assert f"{data} is on {kind}," in check(failed).remedies[0]


@pytest.mark.parametrize("kind", ["ext4", "overlay", "fuseblk", "tmpfs"])
def test_local_file_system_does_not_explain_an_error(tmp_path: Path, kind: str) -> None:
    """Another program may have locked the file."""
    make_mount_table(tmp_path / "root", tmp_path / "data", kind)
    assert asyncio.run(probe_history(tmp_path / "data", tmp_path / "root", 5)).network is None


def make_mount_table(root: Path, folder: Path, kind: str) -> None:
    """Create a folder, and a table in which its device has a file system of this type."""
    folder.mkdir()
    device = folder.stat().st_dev
    table = root / "proc/self/mountinfo"
    table.parent.mkdir(parents=True)
    number = f"{os.major(device)}:{os.minor(device)}"
    table.write_text(
        "22 28 0:1 / /proc rw,nosuid shared:7 - proc proc rw\n"
        f"28 1 {number} / /mnt\\040x rw,relatime shared:1 master:2 - {kind} host:/x rw,vers=4\n"
    )


def test_disk_that_is_nearly_full_is_a_warning() -> None:
    """Before saving stops."""
    found = check(replace(GOOD, free=3_200_000))
    assert (found.verdict, "only 3 MB free" in found.text) == (Verdict.WARNING, True)
