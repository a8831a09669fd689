"""`dstack-backend history` as a process: beside the running service, after it, and without one."""

import json
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from dstack_backend.adapters.sqlite_history import FILE, SqliteHistory
from dstack_backend.app.cli.history_table import HistoryReport, as_text, window_report
from dstack_backend.domain import Reason, Status
from dstack_backend.domain.history import NOT_RUNNING, HistoryEntry, Uptime
from dstack_backend.testing.simulated_dstack import Remote
from tests.contract.process.service import Service, run_command, wait_until

BEGIN = datetime(2026, 11, 24, 2, 0, 0, tzinfo=UTC)
DAY = 86_400.0


def entries() -> list[HistoryEntry]:
    """A night: up, down for ten minutes, up, not running, up."""
    steps: list[tuple[float, Status | None, Reason | None, str]] = [
        (0, Status.AVAILABLE, None, "8 GPUs, 5 free"),
        (100, Status.UNAVAILABLE, Reason.TIMED_OUT, "Connection error: no answer within 5 s"),
        (110, Status.AVAILABLE, None, "8 GPUs, 5 free"),
        (200, None, None, NOT_RUNNING),
        (201.5, Status.AVAILABLE, None, "8 GPUs, 5 free"),
    ]
    return [
        HistoryEntry(
            at=BEGIN + timedelta(minutes=minutes),
            before=None,
            after=after,
            reason=reason,
            message=message,
        )
        for minutes, after, reason, message in steps
    ]


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """The folder of a service that is stopped."""
    history = SqliteHistory(tmp_path)
    history.append(entries(), BEGIN + timedelta(hours=4))
    history.close()
    return tmp_path


def test_it_tells_the_past_of_a_service_that_is_stopped(data: Path) -> None:
    """The latest change first; nothing of the time since the stop is up."""
    done = run_command("history", DATA_DIR=str(data), HISTORY="on")
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert [line.split()[0] for line in lines[:5]] == ["last", "24h", "7d", "30d", "90d"]
    slow = "timed_out: Connection error: no answer within 5 s"
    assert [re.split(" {3,}", line) for line in lines[6:12]] == [
        ["since (UTC)", "status", "lasted", "why"],
        ["2026-11-24 05:21:30", "available", "38 min 30 s", "8 GPUs, 5 free"],
        ["2026-11-24 05:20:00", "not running", "1 min 30 s", NOT_RUNNING],
        ["2026-11-24 03:50:00", "available", "1 h 30 min", "8 GPUs, 5 free"],
        ["2026-11-24 03:40:00", "unavailable", "10 min", slow],
        ["2026-11-24 02:00:00", "available", "1 h 40 min", "8 GPUs, 5 free"],
    ]
    assert lines[-1].endswith("last known to run at 2026-11-24 06:00:00 UTC.")


@pytest.mark.parametrize(
    ("options", "numbers"),
    [
        (["--limit", "2"], [5, 4]),
        (["--since", "2026-11-24T03:50:00Z"], [5, 4, 3]),
        (["--until", "2026-11-24 03:40"], [1]),
        (["--since", "2026-11-24T04:40:00+01:00", "--until", "2026-11-24T03:50:00Z"], [2]),
        (["--until", "2026-11-23"], []),
    ],
)
def test_the_options_choose_among_the_changes(
    data: Path, options: list[str], numbers: list[int]
) -> None:
    """JSON for programs; a time without a zone is UTC."""
    done = run_command("history", "--json", *options, DATA_DIR=str(data), HISTORY="on")
    assert (done.returncode, done.stderr) == (0, "")
    told = json.loads(done.stdout)
    assert [entry["number"] for entry in told["entries"]] == numbers
    assert [window["window"] for window in told["windows"]] == ["24h", "7d", "30d", "90d"]
    assert told["alive_at"] == "2026-11-24T06:00:00Z"


def test_it_tells_the_past_of_a_service_that_runs(
    serve: Callable[..., Service], dstack: Remote, tmp_path: Path
) -> None:
    """The same as the service itself, and without disturbing it."""
    data = {"DATA_DIR": str(tmp_path / "data"), "HISTORY": "on"}
    service = serve(DSTACK_URL=dstack.url, **data)
    wait_until(lambda: service.ask("/history").json()["entries"])
    dstack.crash()
    service.wait_for("connection_refused")
    wait_until(lambda: len(json.loads(run_command("history", "--json", **data).stdout)) == 3)
    told = json.loads(run_command("history", "--json", **data).stdout)
    assert told["entries"] == service.ask("/history").json()["entries"]
    (day, *_) = told["windows"]
    assert day["up_seconds"] + day["down_seconds"] + day["unknown_seconds"] == pytest.approx(DAY)
    assert service.end()[0] == 0
    assert "WARNING" not in service.log.replace("WARNING unavailable", "")


def test_where_there_is_no_history_it_says_so_in_one_line(tmp_path: Path) -> None:
    """Exit code 1: no folder, no file, a file that is none, history turned off."""
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / FILE).write_bytes(b"This is no database. " * 100)
    (tmp_path / "empty").mkdir()
    SqliteHistory(tmp_path / "empty").close()
    for folder, why in {
        "nowhere": "no such file or directory",
        "other": "not a database",
        "empty": "nothing is written yet",
    }.items():
        done = run_command("history", DATA_DIR=str(tmp_path / folder), HISTORY="on")
        assert (done.returncode, done.stdout) == (1, "")
        (line,) = done.stderr.splitlines()
        assert line.startswith("dstack-backend: there is no history to show: ")
        assert why in line
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
    ],
)
def test_an_option_that_makes_no_sense_is_refused_in_one_line(options: list[str]) -> None:
    """Exit code 2, with an example."""
    done = run_command("history", *options)
    assert (done.returncode, done.stdout) == (2, "")
    (line,) = done.stderr.splitlines()
    assert line.startswith("dstack-backend: ")
    assert options[0] in line


def test_the_table_never_says_all_or_nothing_where_it_is_not() -> None:
    """A second of outage in 90 days is no 100 %."""
    told = HistoryReport(
        BEGIN,
        [
            window_report("a", Uptime(90 * DAY - 1, 1.0, 0.0)),
            window_report("b", Uptime(0.0, 0.0, DAY)),
            window_report("c", Uptime(DAY, 0.0, 1.0)),
            window_report("d", Uptime(1.0, 90 * DAY, 0.0)),
            window_report("e", Uptime(90 * DAY - 0.001, 0.001, 90 * DAY)),
            window_report("f", Uptime(0.001, 0.0, 90 * DAY)),
        ],
        [],
    )
    assert [line.split(None, 1) for line in as_text(told, BEGIN).splitlines()[1:7]] == [
        ["a", "99.99 %    1 s        -"],
        ["b", "-          -          1 d (100.00 %)"],
        ["c", "100.00 %   -          1 s (< 0.01 %)"],
        ["d", "< 0.01 %   90 d       -"],
        ["e", "99.99 %    0 s        90 d (50.00 %)"],
        ["f", "100.00 %   -          90 d (99.99 %)"],
    ]


def test_a_text_that_hurts_stays_on_its_line() -> None:
    """Another source of GPUs decides what its sentences say."""
    hostile = HistoryEntry(
        at=BEGIN, before=None, after=Status.AVAILABLE, reason=None, message="a\n\x1b[31mb\u2028"
    )
    text = as_text(HistoryReport(BEGIN, [], [hostile]), None)
    assert "a  [31mb" in text
    assert all(line.isprintable() for line in text.splitlines())
