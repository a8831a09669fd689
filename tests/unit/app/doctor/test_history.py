"""The doctor: the folder of the history. Whatever is wrong with it, the service serves."""

import asyncio
from datetime import UTC, datetime
from pathlib import Path

import pytest
from msgspec.structs import replace

from dstack_backend.adapters.sqlite_history import FILE, SqliteHistory
from dstack_backend.app.doctor.environment import RuntimeEnvironment
from dstack_backend.app.doctor.finding import Finding, Verdict
from dstack_backend.app.doctor.history import (
    HistoryFolder,
    check_history,
    examine_history,
    look_at_history,
)
from dstack_backend.app.doctor.socket_file import ProcessUser

US = ProcessUser(10001, (10001,))
HOST = RuntimeEnvironment()
DOCKER = RuntimeEnvironment("Docker", own_network=True)
WELL = HistoryFolder(path=Path("/data"), met=Path("/data"), room=80_000_000_000)


def at(path: Path) -> Finding:
    """What is said of a folder."""
    return check_history(replace(look_at_history(path), room=WELL.room), US, HOST)


def test_a_folder_that_is_not_there_yet_is_well_and_stays_away(tmp_path: Path) -> None:
    """The service makes it, the doctor does not."""
    found = at(tmp_path / "no" / "data")
    assert (found.verdict, "will be made" in found.text) == (Verdict.OK, True)
    assert list(tmp_path.iterdir()) == []


def test_a_history_in_use_is_read_and_left_as_it_is(tmp_path: Path) -> None:
    """Its size and the room on its disk are told."""
    history = SqliteHistory(tmp_path)
    history.append([], datetime(2026, 1, 1, tzinfo=UTC))
    before = {each.name: each.stat().st_size for each in tmp_path.iterdir()}
    found = at(tmp_path)
    after = {each.name: each.stat().st_size for each in tmp_path.iterdir()}
    history.close()
    assert found.verdict is Verdict.OK
    assert found.text == f"{tmp_path / FILE}: 0.0 MB; 80000 MB free"
    assert after == before


def test_a_file_that_sqlite_cannot_read_is_told(tmp_path: Path) -> None:
    """It is not set aside: that is for the service."""
    (tmp_path / FILE).write_bytes(b"no database" * 1000)
    found = at(tmp_path)
    assert (found.verdict, "file is not a database" in found.text) == (Verdict.WARNING, True)
    assert [each.name for each in tmp_path.iterdir()] == [FILE]


@pytest.mark.parametrize("below", ["", "data"])
def test_a_file_in_the_place_of_the_folder_is_told(tmp_path: Path, below: str) -> None:
    """Or in the place of a folder above it."""
    file = tmp_path / "file"
    file.touch()
    found = at(file / below)
    assert found.verdict is Verdict.WARNING
    assert found.text.startswith(f"{file} is no folder")


def test_no_history_is_no_fault() -> None:
    """It was turned off."""
    found = asyncio.run(examine_history(None, HOST, 5))
    assert found.verdict is Verdict.OK
    assert "HISTORY=off" in found.text


def test_a_folder_that_is_closed_to_us_is_told_with_the_user_and_the_cure() -> None:
    """On a host its rights, in a container the volume."""
    closed = replace(WELL, is_open=False)
    found = check_history(closed, US, HOST)
    assert found.verdict is Verdict.WARNING
    assert "uid 10001" in found.text
    assert found.remedies[0] == "setfacl -m u:10001:rwx /data"
    assert "-v dstack-history:/data" in check_history(closed, US, DOCKER).remedies[0]


def test_a_disk_that_is_nearly_full_is_told() -> None:
    """Before the history stands still."""
    found = check_history(replace(WELL, room=3_200_000), US, HOST)
    assert (found.verdict, "only 3 MB free" in found.text) == (Verdict.WARNING, True)
