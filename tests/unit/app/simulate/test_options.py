"""The options of `simulate`, and the lines of its script."""

from pathlib import Path

import pytest

from dstack_backend.app.simulate import OptionError
from dstack_backend.app.simulate.options import Plan, read
from dstack_backend.app.simulate.script import parse


def test_without_options_it_listens_where_guides_have_dstack() -> None:
    """On this machine alone, with nothing to follow."""
    assert read({}) == Plan((), ("127.0.0.1", 19060), ())


@pytest.mark.parametrize(
    ("listen", "place"),
    [
        ("localhost:0", ("localhost", 0)),
        ("[::1]:19061", ("::1", 19061)),
        ("unix:/run/vmm.sock", Path("/run/vmm.sock")),
        ("unix:///run/vmm.sock", Path("/run/vmm.sock")),
    ],
)
def test_it_listens_where_it_is_told(listen: str, place: Path | tuple[str, int]) -> None:
    """Addresses are written as in DSTACK_URL and LISTEN_ADDR."""
    assert read({"listen": listen}).place == place


def test_options_are_the_first_lines_in_an_order_that_makes_sense() -> None:
    """How many are free counts for the GPUs that were asked for, wherever it stands."""
    options = {"fault": "json-null", "free": "2", "token": "a b", "gpus": "4", "latency": ".5"}
    assert read(options).first == (
        "gpus 4",
        "free 2",
        "token a b",
        "latency .5",
        "fault json-null",
    )


def test_a_script_is_a_file_or_standard_input(tmp_path: Path) -> None:
    """The lines of a file are known before it starts, those of standard input are not."""
    script = tmp_path / "script"
    script.write_text("# an outage\ncrash\n\nwait 1.5\nrevive\nend")
    assert read({"script": str(script)}).script == tuple(script.read_text().splitlines())
    assert read({"script": "-"}).script is None


@pytest.mark.parametrize(
    ("name", "value", "complaint"),
    [
        ("gpus", "many", "--gpus: 'many' is not a whole number from 0 to 10000"),
        ("gpus", "-1", "--gpus: '-1' is not a whole number"),
        ("gpus", "10001", "--gpus: '10001' is not a whole number"),
        ("gpus", "\u0663", "--gpus: '\\u0663' is not a whole number"),
        ("gpus", "", "--gpus: '' is not a whole number"),
        ("free", "some", "--free: 'some' is not a whole number"),
        ("product-id", "H200", "--product-id: 'H200' is not vendor:device"),
        ("latency", "soon", "--latency: 'soon' is not a number of seconds"),
        ("latency", "nan", "--latency: 'nan' is not"),
        ("latency", "99999", "--latency: '99999' is not"),
        ("fault", "resett-in-body", "'resett-in-body'; perhaps reset-in-body"),
        ("fault", "reset", "perhaps reset-before-headers or reset-in-headers or reset-in-body;"),
        ("fault", "", "--fault: it names no fault; --list-faults lists all"),
        ("fault", "x\x1b[2J\n" * 99, "--fault: no fault is called 'x\\x1b[2J\\nx"),
        ("listen", "here", "--listen: 'here' is neither host:port, as in 127.0.0.1:19060, nor"),
        ("listen", ":80", "--listen: ':80' is neither"),
        ("listen", "::1:80", "--listen: '::1:80' is neither"),
        ("listen", "127.0.0.1:70000", "--listen: '127.0.0.1:70000' is neither"),
        ("listen", "unix:vmm.sock", "--listen: the path of the socket is not absolute"),
        ("script", "/nowhere/script", "--script: no such file or directory"),
        ("script", "/dev/null", "--script: it is no regular file; - reads standard input"),
        ("CHECK_INTERVAL", "5", "--check-interval: it is the service's"),
    ],
)
def test_a_bad_option_is_told_in_one_short_line(name: str, value: str, complaint: str) -> None:
    """The line names the option and what is wrong with it."""
    with pytest.raises(OptionError) as caught:
        read({name: value})
    told = str(caught.value)
    assert complaint in told
    assert told.isprintable()
    assert len(told) < 250


def test_a_bad_line_of_a_file_is_told_with_its_number(tmp_path: Path) -> None:
    """A script is understood as a whole before its first line is followed."""
    script = tmp_path / "script"
    script.write_text("crash\nwait 1\nrevive!\n")
    with pytest.raises(OptionError, match=r"--script, line 3: it begins with none of ok, fault, "):
        read({"script": str(script)})


@pytest.mark.parametrize("line", ["", "   ", "# crash", "  # wait a bit"])
def test_an_empty_line_and_a_comment_are_no_direction(line: str) -> None:
    """They are for whoever reads the script."""
    assert parse(line) is None


@pytest.mark.parametrize("line", ["crash now", "ok then", "wait", "wait -1", "end 1", "CRASH"])
def test_a_direction_takes_what_it_takes_and_nothing_else(line: str) -> None:
    """A slip is told, and not half followed."""
    with pytest.raises(ValueError, match=r"'|begins with none"):
        parse(line)
