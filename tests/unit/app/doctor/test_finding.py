"""Tests of findings: the exit code, the steps after a failed one, foreign texts."""

from hypothesis import given
from hypothesis import strategies as st

from dstack_backend.app.doctor.finding import (
    MAX_TEXT_LENGTH,
    Diagnosis,
    Finding,
    Step,
    Verdict,
    sanitize,
    skip_rest,
)


def exit_code(*findings: Finding) -> int:
    """Return the exit code of a diagnosis with these findings."""
    return Diagnosis(dstack="http://host", findings=findings).exit_code


def test_exit_code_is_that_of_the_worst_finding() -> None:
    """A warning fails nothing; an invalid setting is 2 as with every command."""
    assert exit_code(Step.NAME.ok("")) == 0
    assert exit_code(Step.NAME.warning("")) == 0
    assert exit_code(Step.NAME.ok(""), Step.HTTP.failed("")) == 1
    assert exit_code(*skip_rest([Step.SETTINGS.failed("")], [Step.NAME], Step.SETTINGS)) == 2


def test_steps_after_a_failed_one_are_skipped_in_their_order() -> None:
    """Steps that have a finding keep it."""
    tried = [Step.NAME.ok(""), Step.CONNECTION.failed("")]
    found = skip_rest(tried, [Step.CONNECTION, Step.HTTP, Step.AUTH], Step.CONNECTION)
    assert found[:2] == tried
    assert [each.step for each in found[2:]] == [Step.HTTP, Step.AUTH]
    assert {each.verdict for each in found[2:]} == {Verdict.SKIPPED}
    assert found[2].text == "not tried: connection failed"


@given(st.text())
def test_sanitized_text_is_one_printable_line_of_limited_length(text: str) -> None:
    """Whatever it contains, a terminal can show it."""
    shown = sanitize(text)
    assert shown.isprintable()
    assert len(shown) <= 12 * MAX_TEXT_LENGTH + 3
