"""Tests of the text and the JSON of a diagnosis."""

import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dstack_backend.app.doctor.command import as_json, as_text
from dstack_backend.app.doctor.finding import Diagnosis, Finding, Step, skip_rest
from dstack_backend.domain import Reason

NOW = datetime(2026, 1, 1, tzinfo=UTC)
COMMAND = "curl 'http://host.docker.internal:19060/prpc/ListGpus?json'"
FAILED = Step.HTTP.failed("nothing", f"see for yourself: {COMMAND}", reason=Reason.TIMED_OUT)


def diagnosis(*findings: Finding) -> Diagnosis:
    """Return a diagnosis with these findings."""
    return Diagnosis(dstack="http://host", findings=findings)


def test_text_has_verdict_step_and_text_in_columns() -> None:
    """Remedies are below; steps that were skipped for one reason are on one line."""
    findings = skip_rest(
        [Step.NAME.ok("good"), FAILED], [Step.HTTP, Step.AUTH, Step.JSON], Step.HTTP
    )
    lines = as_text(diagnosis(*findings), 120).splitlines()
    assert lines[2] == "ok       name        good"
    assert lines[3] == "FAILED   http        nothing"
    assert lines[4] == f"                     -> see for yourself: {COMMAND}"
    assert lines[5] == "skipped              auth, json: not tried: http failed"
    assert lines[-1].startswith("1 ok, 1 failed, 2 skipped.")


@pytest.mark.parametrize(
    ("count", "summary"), [(0, "1 ok."), (1, "1 ok, 1 warning."), (2, "1 ok, 2 warnings.")]
)
def test_summary_counts_the_verdicts(count: int, summary: str) -> None:
    """Without a failed step it says so."""
    findings = [Step.NAME.ok("good"), *[Step.WORKER.warning("odd")] * count]
    last = as_text(diagnosis(*findings), 120).splitlines()[-1]
    assert last == f"{summary} Nothing failed."


def test_text_has_colours_only_for_a_terminal() -> None:
    """A file and a pipe get plain text."""
    assert "\x1b" not in as_text(diagnosis(FAILED), 80)
    assert "\x1b[1;31mFAILED" in as_text(diagnosis(FAILED), 80, colour=True)


@given(st.integers(0, 200))
def test_address_is_never_broken_over_lines(width: int) -> None:
    """However narrow the terminal, it can be copied."""
    assert COMMAND.split()[1] in as_text(diagnosis(FAILED), width)


def test_json_is_one_object_with_stable_names() -> None:
    """Programs read it."""
    assert json.loads(as_json(diagnosis(FAILED), NOW)) == {
        "name": "dstack-backend doctor",
        "version": json.loads(as_json(diagnosis(), NOW))["version"],
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
