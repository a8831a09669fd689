"""Durations, percentages and times as text."""

import json
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dstack_backend.domain.formatting import (
    ENGLISH_UNITS,
    cut,
    escape,
    format_duration,
    format_percent,
    format_time,
    join_some,
    parse_time,
)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 s"),
        (-5, "0 s"),
        (0.0004, "1 ms"),
        (0.25, "250 ms"),
        (0.9999, "999 ms"),
        (1, "1 s"),
        (59.99, "59 s"),
        (60, "1 min"),
        (90, "1 min 30 s"),
        (3599, "59 min 59 s"),
        (3600, "1 h"),
        (3601, "1 h"),
        (11_545, "3 h 12 min"),
        (86_399, "23 h 59 min"),
        (86_400, "1 d"),
        (86_460, "1 d"),
        (90 * 86_400 + 3600, "90 d 1 h"),
    ],
)
def test_duration_has_its_two_largest_adjacent_units(seconds: float, text: str) -> None:
    """Never rounded up, and a negative one counts as 0."""
    assert format_duration(seconds) == text


def test_duration_uses_the_given_units() -> None:
    """As for a page in another language."""
    units = {unit: f"{{}}{unit.upper()}" for unit in ENGLISH_UNITS}
    assert format_duration(93_784, units) == "1D 2H"
    assert format_duration(0.5, units) == "500MS"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0 %"),
        (1e-9, "< 0.01 %"),
        (0.01, "0.01 %"),
        (33.333, "33.33 %"),
        (50, "50 %"),
        (99.9, "99.9 %"),
        (99.999999, "99.99 %"),
        (100, "100 %"),
    ],
)
def test_percent_has_at_most_two_decimals(value: float, text: str) -> None:
    """Only 0 is written as 0 %, and only 100 as 100 %."""
    assert format_percent(value) == text


@given(st.floats(0, 100, exclude_min=True, exclude_max=True))
def test_percent_never_rounds_to_0_or_100(value: float) -> None:
    """Whatever the value between them, and it is never rounded up."""
    text = format_percent(value)
    assert text not in {"0 %", "100 %"}
    assert text == "< 0.01 %" or float(text.removesuffix(" %")) <= value


@pytest.mark.parametrize(
    ("value", "text"), [(0, "0 %"), (0.4, "< 1 %"), (1, "1 %"), (99.99, "99 %"), (100, "100 %")]
)
def test_percent_without_decimals(value: float, text: str) -> None:
    """Where there is little room."""
    assert format_percent(value, 0) == text


def test_time_is_written_in_utc_to_the_second() -> None:
    """Whatever the zone of the value."""
    moment = datetime(2026, 11, 24, 3, 53, 25, 999_999, tzinfo=timezone(timedelta(hours=1)))
    assert format_time(moment) == "2026-11-24 02:53:25"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-11-24T02:53:25Z", datetime(2026, 11, 24, 2, 53, 25, tzinfo=UTC)),
        ("2026-11-24T02:53:25", datetime(2026, 11, 24, 2, 53, 25, tzinfo=UTC)),
        ("2026-11-24 02:53", datetime(2026, 11, 24, 2, 53, tzinfo=UTC)),
        ("2026-11-24", datetime(2026, 11, 24, tzinfo=UTC)),
        ("20261124T025325.5Z", datetime(2026, 11, 24, 2, 53, 25, 500_000, tzinfo=UTC)),
        ("2026-11-24T02:53:25+05:30", datetime(2026, 11, 23, 21, 23, 25, tzinfo=UTC)),
    ],
)
def test_time_is_parsed_from_iso_8601(text: str, expected: datetime) -> None:
    """Without a zone it is UTC, and the result is in UTC."""
    parsed = parse_time(text)
    assert parsed == expected
    assert parsed.tzinfo is UTC


@pytest.mark.parametrize(
    "text", ["", "now", "24.11.2026", "2026-13-01", "0001-01-01T00:00+05:00", "9999-12-31T23:00-05"]
)
def test_invalid_time_is_rejected(text: str) -> None:
    """Also one that is out of range in UTC."""
    with pytest.raises(ValueError, match=r".+"):
        parse_time(text)


@given(st.datetimes(timezones=st.just(UTC)))
def test_parse_time_reads_isoformat(moment: datetime) -> None:
    """Whatever the time."""
    assert parse_time(moment.isoformat()) == moment


@pytest.mark.parametrize(
    ("text", "escaped"),
    [
        ("GPU é ✓ 显卡", "GPU é ✓ 显卡"),
        ("\x1b[2J\x7f\x9b\n", r"\u001b[2J\u007f\u009b\n"),
        ("\u202e\ud800\U000e0001", r"\u202e\ud800\udb40\udc01"),
    ],
)
def test_escaped_text_has_the_escapes_of_json(text: str, escaped: str) -> None:
    """Printable characters of any language stay."""
    assert escape(text) == escaped


@given(st.recursive(st.text(), lambda children: st.dictionaries(st.text(), children)))
def test_escaped_json_is_printable_and_has_the_same_data(data: object) -> None:
    """So a command can escape its whole output."""
    line = escape(json.dumps(data, ensure_ascii=False))
    assert line.isprintable()
    assert json.loads(line) == data


@pytest.mark.parametrize(
    ("text", "shown"),
    [("", "-"), ("abcd", "abcd"), ("abcde", "abcd..."), ("a\x1b", "a\\u0..."), ("\n", "\\n")],
)
def test_cut_text_is_escaped_and_bounded(text: str, shown: str) -> None:
    """The limit counts what is shown, without the dots."""
    assert cut(text, 4) == shown


@given(st.text(), st.integers(1, 20))
def test_any_cut_text_is_printable_and_bounded(text: str, limit: int) -> None:
    """Whatever a source sends."""
    shown = cut(text, limit)
    assert shown
    assert shown.isprintable()
    assert len(shown) <= limit + 3


def test_texts_beyond_the_limit_are_counted() -> None:
    """The first ones are shown."""
    assert join_some(["a", "b"], 2) == "a, b"
    assert join_some(["a", "b", "c", "d"], 2) == "a, b, 2 more"
    assert join_some([], 2) == ""
