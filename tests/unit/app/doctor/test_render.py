"""The doctor: exit codes, and how the findings look on a terminal and in a ticket."""

import json
from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from dstack_backend.app.doctor.finding import (
    LONGEST_TEXT,
    Diagnosis,
    Finding,
    Step,
    failed,
    ok,
    sanitize,
    skipped,
    warning,
)
from dstack_backend.app.doctor.render import as_json, as_text
from dstack_backend.domain import Reason

NOW = datetime(2026, 1, 1, tzinfo=UTC)
COMMAND = "curl 'http://host.docker.internal:19060/prpc/ListGpus?json'"
BAD = failed(Step.HTTP, "nothing", (f"see for yourself: {COMMAND}",), Reason.TIMED_OUT)


def exam(*findings: Finding) -> Diagnosis:
    """An examination that found this."""
    return Diagnosis(dstack="http://host", findings=findings)


def test_the_exit_code_is_that_of_the_worst_finding() -> None:
    """A warning is none, a bad setting is 2 as with every command."""
    assert exam(ok(Step.NAME, "")).exit_code == 0
    assert exam(warning(Step.NAME, "")).exit_code == 0
    assert exam(ok(Step.NAME, ""), BAD).exit_code == 1
    assert exam(failed(Step.SETTINGS, "", ()), skipped(Step.NAME, Step.SETTINGS)).exit_code == 2


def test_a_line_has_verdict_step_and_text_in_columns() -> None:
    """The cure stands below, what is skipped for one reason on one line."""
    later = (skipped(step, Step.HTTP) for step in (Step.AUTH, Step.JSON))
    lines = as_text(exam(ok(Step.NAME, "well"), BAD, *later), 120).splitlines()
    assert lines[2] == "ok       name        well"
    assert lines[3] == "FAILED   http        nothing"
    assert lines[4] == f"                     -> see for yourself: {COMMAND}"
    assert lines[5] == "skipped              auth, json: not tried: http failed"
    assert lines[-1].startswith("1 ok, 1 failed, 2 skipped.")


def test_only_a_terminal_gets_colours() -> None:
    """A file and a pipe get plain text."""
    assert "\x1b" not in as_text(exam(BAD), 80)
    assert "\x1b[1;31mFAILED" in as_text(exam(BAD), 80, colour=True)


@given(st.integers(0, 200))
def test_an_address_is_never_broken_over_lines(width: int) -> None:
    """However narrow the terminal, it can be copied."""
    assert COMMAND.split()[1] in as_text(exam(BAD), width)


def test_the_ticket_is_one_object_with_stable_names() -> None:
    """Programs read it."""
    assert json.loads(as_json(exam(BAD), NOW)) == {
        "name": "dstack-backend doctor",
        "version": json.loads(as_json(exam(), NOW))["version"],
        "time": "2026-01-01T00:00:00Z",
        "dstack": "http://host",
        "exit_code": 1,
        "steps": [
            {
                "step": "http",
                "verdict": "failed",
                "text": "nothing",
                "remedies": [f"see for yourself: {COMMAND}"],
                "reason": "timed_out",
                "seconds": None,
            }
        ],
    }


@given(st.text())
def test_a_foreign_text_becomes_printable_ascii_of_bounded_length(text: str) -> None:
    """Whatever it holds, a terminal takes it."""
    shown = sanitize(text)
    assert shown.isascii()
    assert shown == "" or shown.isprintable()
    assert len(shown) <= 10 * LONGEST_TEXT + 3
