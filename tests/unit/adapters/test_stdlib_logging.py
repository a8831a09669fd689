"""The log: one printable line for each record, and one record for each change."""

import json
import logging
import re
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dstack_backend.adapters.stdlib_logging import (
    JsonFormatter,
    TextFormatter,
    place,
    set_up_logging,
)
from dstack_backend.domain import Reason
from dstack_backend.domain.gpu.inventory import encodable
from dstack_backend.testing.fakes import EPOCH
from dstack_backend.testing.strategies import nasty_texts

CANARY = "c4n4ry"


def record_of(message: str, *args: object, **fields: object) -> logging.LogRecord:
    """Return a record of the first second of 2026."""
    record = logging.LogRecord(
        "dstack_backend.app.x", logging.WARNING, "x.py", 1, message, args, None
    )
    record.created = EPOCH.timestamp()
    for name, value in fields.items():
        setattr(record, name, value)
    return record


def raised() -> Exception:
    """Return an exception that was raised here."""
    try:
        json.loads(CANARY)
    except ValueError as exc:
        return exc
    raise AssertionError


def test_text_format() -> None:
    """Time in UTC, level, message."""
    line = TextFormatter().format(record_of("it is %s", "so"))
    assert line == "2026-01-01T00:00:00.000Z WARNING it is so"


def test_json_format() -> None:
    """One JSON object, with the extra fields that are known. The logger has no package name."""
    line = JsonFormatter().format(
        record_of("it is %s", "so", status="unavailable", reason=Reason.STALE, other=1)
    )
    assert json.loads(line) == {
        "time": "2026-01-01T00:00:00.000Z",
        "level": "warning",
        "logger": "app.x",
        "message": "it is so",
        "status": "unavailable",
        "reason": "stale",
    }


@pytest.mark.parametrize("formatter", [TextFormatter(), JsonFormatter()])
@given(message=nasty_texts() | st.text(st.characters(categories=["Cs", "Cc"])))
def test_any_record_is_one_printable_line(formatter: logging.Formatter, message: str) -> None:
    """Control characters, line ends and lone surrogates are escaped, and those of fields too."""
    line = formatter.format(record_of("%s", message, gpu=encodable(message)))
    assert line.isprintable()
    assert line.encode()


@pytest.mark.parametrize("formatter", [TextFormatter(), JsonFormatter()])
def test_exception_is_shown_without_its_text_and_traceback(
    formatter: logging.Formatter,
) -> None:
    """The text may contain a secret."""
    error = raised()
    record = record_of("it broke")
    record.exc_info = (type(error), error, error.__traceback__)
    record.stack_info = f"Stack: {CANARY}"
    line = formatter.format(record)
    assert re.search(r"it broke \[JSONDecodeError at decoder\.py:\d+\]", line)
    assert CANARY not in line
    assert line.isprintable()


def test_exception_that_was_not_raised_has_no_place() -> None:
    """Only its type is shown."""
    assert place(KeyError(CANARY)) == "KeyError"


def test_record_with_empty_exc_info_shows_no_exception() -> None:
    """`exc_info=True` outside of an `except` gives an empty triple."""
    record = record_of("fine")
    record.exc_info = (None, None, None)
    assert TextFormatter().format(record).endswith("WARNING fine")


@pytest.fixture
def _own_root_logger() -> Iterator[None]:
    """Restore the logging of pytest afterwards."""
    root, ours = logging.getLogger(), logging.getLogger("dstack_backend")
    before = root.handlers[:], root.level, ours.level
    # set_up_logging closes the handlers that it replaces; pytest's must stay open.
    root.handlers = []
    yield
    root.handlers, ours.level = before[0], before[2]
    root.setLevel(before[1])


@pytest.mark.usefixtures("_own_root_logger")
@pytest.mark.parametrize(
    ("level", "seen"),
    [
        ("debug", ["debug", "info", "warning", "error"]),
        ("info", ["info", "warning", "error"]),
        ("warning", ["warning", "error"]),
        ("error", ["error"]),
    ],
)
def test_level_applies_to_loggers_of_this_package(
    level: str, seen: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """Records from that level on go to standard error."""
    set_up_logging(level, "json", is_queued=False)
    ours = logging.getLogger("dstack_backend.test")
    for each in (logging.DEBUG, logging.INFO, logging.WARNING, logging.ERROR):
        ours.log(each, "hello")
    out, err = capsys.readouterr()
    assert out == ""
    assert [json.loads(line)["level"] for line in err.splitlines()] == seen


@pytest.mark.usefixtures("_own_root_logger")
def test_libraries_log_from_warning_on(capsys: pytest.CaptureFixture[str]) -> None:
    """At `debug` httpcore would log DStack's address and the token."""
    set_up_logging("debug", "text", is_queued=False)
    for name in ("httpcore.connection", "httpx", "litestar", "granian"):
        logging.getLogger(name).info(CANARY)
    assert capsys.readouterr().err == ""
