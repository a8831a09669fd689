"""`dstack-backend history` as a process: beside the running service, after it, and without one."""

import json
import re
import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from dstack_backend.adapters.sqlite_history import FILE, SqliteHistory
from dstack_backend.domain import Reason, Status
from dstack_backend.domain.history import EntryKind, GapCause, HistoryEntry
from dstack_backend.testing.simulated_dstack import Remote
from tests.contract.process.service import Service, run_command, wait_until

BEGIN = datetime(2026, 11, 24, 2, 0, 0, tzinfo=UTC)
DAY = 86_400.0

Codes = tuple[Status | None, Reason | None, GapCause | None]


def entries() -> list[HistoryEntry]:
    """A night: up, down for ten minutes, up, not running, up, suspended, up."""
    up: Codes = (Status.AVAILABLE, None, None)
    down: Codes = (Status.UNAVAILABLE, Reason.TIMED_OUT, None)
    steps: list[tuple[float, Codes]] = [
        (0, up),
        (100, down),
        (110, up),
        (200, (None, None, GapCause.STOPPED)),
        (201.5, up),
        (230, (None, None, GapCause.SUSPENDED)),
        (235, up),
    ]
    texts: dict[Codes, str] = {up: "8 GPUs, 5 free", down: "Connection error: no answer within 5 s"}
    return [
        HistoryEntry(
            kind=EntryKind.GAP if codes[2] else EntryKind.STATUS,
            at=BEGIN + timedelta(minutes=minutes),
            before=None,
            after=codes[0],
            reason=codes[1],
            gap=codes[2],
            message=codes[2].message if codes[2] else texts[codes],
            number=number,
        )
        for number, (minutes, codes) in enumerate(steps, start=1)
    ]


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """The folder of a service that is stopped."""
    store = SqliteHistory(tmp_path)
    store.append(entries(), BEGIN + timedelta(hours=4), None)
    store.close()
    return tmp_path


def test_history_of_a_stopped_service_is_printed(data: Path) -> None:
    """The latest change first; no time since the stop is up; gaps are shown by their cause."""
    done = run_command("history", DATA_DIR=str(data), HISTORY="on")
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert [line.split()[0] for line in lines[:5]] == ["last", "24h", "7d", "30d", "90d"]
    slow = "timed_out: Connection error: no answer within 5 s"
    assert [re.split(" {3,}", line) for line in lines[6:14]] == [
        ["since (UTC)", "status", "lasted", "why"],
        ["2026-11-24 05:55:00", "available", "5 min", "8 GPUs, 5 free"],
        ["2026-11-24 05:50:00", "suspended", "5 min", GapCause.SUSPENDED.message],
        ["2026-11-24 05:21:30", "available", "28 min 30 s", "8 GPUs, 5 free"],
        ["2026-11-24 05:20:00", "not running", "1 min 30 s", GapCause.STOPPED.message],
        ["2026-11-24 03:50:00", "available", "1 h 30 min", "8 GPUs, 5 free"],
        ["2026-11-24 03:40:00", "unavailable", "10 min", slow],
        ["2026-11-24 02:00:00", "available", "1 h 40 min", "8 GPUs, 5 free"],
    ]
    assert lines[-1].endswith("last known to run at 2026-11-24 06:00:00 UTC.")


@pytest.mark.parametrize(
    ("options", "numbers"),
    [
        (["--limit", "2"], [7, 6]),
        (["--since", "2026-11-24T05:20:00Z"], [7, 6, 5, 4]),
        (["--until", "2026-11-24 03:40"], [1]),
        (["--since", "2026-11-24T04:40:00+01:00", "--until", "2026-11-24T03:50:00Z"], [2]),
        (["--until", "2026-11-23"], []),
        (["--kind", "gap"], [6, 4]),
        (["--kind", "GAP, gpu_lost", "--limit", "1"], [6]),
        (["--kind", "gpu_lost,gpu_found"], []),
    ],
)
def test_options_select_entries(data: Path, options: list[str], numbers: list[int]) -> None:
    """JSON for programs; a time without a zone is UTC."""
    done = run_command("history", "--json", *options, DATA_DIR=str(data), HISTORY="on")
    assert (done.returncode, done.stderr) == (0, "")
    report = json.loads(done.stdout)
    assert [entry["number"] for entry in report["entries"]] == numbers
    assert [window["window"] for window in report["windows"]] == ["24h", "7d", "30d", "90d"]
    assert report["alive_at"] == "2026-11-24T06:00:00Z"


def test_json_has_the_codes_of_gaps(data: Path) -> None:
    """`gap` is `null` for a change."""
    done = run_command("history", "--json", DATA_DIR=str(data), HISTORY="on")
    gaps = [entry["gap"] for entry in json.loads(done.stdout)["entries"]]
    assert gaps == [None, "suspended", None, "stopped", None, None, None]


def test_history_of_a_running_service_is_printed(
    serve: Callable[..., Service], dstack: Remote, tmp_path: Path
) -> None:
    """The same entries as at `/history`, and without disturbing the service."""
    data = {"DATA_DIR": str(tmp_path / "data"), "HISTORY": "on"}
    service = serve(DSTACK_URL=dstack.url, **data)
    wait_until(lambda: service.ask("/history").json()["entries"])
    dstack.crash()
    service.wait_for("connection_refused")
    wait_until(lambda: len(json.loads(run_command("history", "--json", **data).stdout)) == 3)
    report = json.loads(run_command("history", "--json", **data).stdout)
    assert report["entries"] == service.ask("/history").json()["entries"]
    (day, *_) = report["windows"]
    assert day["up_seconds"] + day["down_seconds"] + day["unknown_seconds"] == pytest.approx(DAY)
    assert service.end()[0] == 0
    assert "WARNING" not in service.log.replace("WARNING unavailable", "")


def test_missing_history_is_one_line_and_exit_code_1(tmp_path: Path) -> None:
    """No folder, no file, a file that is none, an empty one, history turned off."""
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / FILE).write_bytes(b"This is no database. " * 100)
    (tmp_path / "empty").mkdir()
    SqliteHistory(tmp_path / "empty").close()
    for folder, fault in {
        "nowhere": "no such file or directory",
        "other": "not a database",
        "empty": "nothing is written yet",
    }.items():
        done = run_command("history", DATA_DIR=str(tmp_path / folder), HISTORY="on")
        assert (done.returncode, done.stdout) == (1, "")
        (line,) = done.stderr.splitlines()
        assert line.startswith("dstack-backend: there is no history to show: ")
        assert fault in line
    done = run_command("history", DATA_DIR=str(tmp_path), HISTORY="off")
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert "HISTORY=off" in done.stderr
    assert (tmp_path / "other" / FILE).exists()
    assert not (tmp_path / "nowhere").exists()


@pytest.mark.parametrize(
    "options",
    [
        ["--limit", "ten"],
        ["--limit", "-1"],
        ["--limit", "0"],
        ["--since", "now"],
        ["--until", "2026-13-01"],
        ["--kind", "lost"],
        ["--kind", ""],
    ],
)
def test_invalid_option_is_one_line_and_exit_code_2(options: list[str]) -> None:
    """With an example."""
    done = run_command("history", *options)
    assert (done.returncode, done.stdout) == (2, "")
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"dstack-backend: {options[0]}: {options[1]!a} is not ")
    assert "; for example " in line


def test_history_with_a_damaged_sign_of_life_is_printed(data: Path) -> None:
    """Up to its last entry."""
    with closing(sqlite3.connect(data / FILE)) as other, other:
        other.execute("DELETE FROM alive")
    done = run_command("history", "--json", DATA_DIR=str(data), HISTORY="on")
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout)["alive_at"] == "2026-11-24T05:55:00Z"
