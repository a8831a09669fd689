"""The options of `simulate`."""

from pathlib import Path

import pytest

from dstack_backend.app.config.parsers import ListenAddress
from dstack_backend.app.errors import UserError
from dstack_backend.app.simulate.command import SimulateOptions, parse_options


def test_default_address_is_the_one_of_dstack_guides() -> None:
    """It listens on this machine alone and has no script."""
    assert parse_options({}) == SimulateOptions((), ListenAddress("127.0.0.1", 19060), ())


@pytest.mark.parametrize(
    ("text", "listen"),
    [
        ("localhost:0", ListenAddress("localhost", 0)),
        ("[::1]:19061", ListenAddress("::1", 19061)),
        ("unix:/run/vmm.sock", Path("/run/vmm.sock")),
        ("unix:///run/vmm.sock", Path("/run/vmm.sock")),
    ],
)
def test_listen_accepts_addresses_and_sockets(text: str, listen: Path | ListenAddress) -> None:
    """Addresses are written as in DSTACK_URL and LISTEN_ADDR; port 0 is any free one."""
    assert parse_options({"listen": text}).listen == listen


def test_setup_lines_have_a_fixed_order() -> None:
    """The number of free GPUs applies to the number of GPUs, wherever it is given."""
    options = {"fault": "json-null", "free": "2", "token": "a b", "gpus": "4", "latency": ".5"}
    assert parse_options(options).setup == (
        "gpus 4",
        "free 2",
        "token a b",
        "latency .5",
        "fault json-null",
    )


def test_script_is_a_file_or_standard_input(tmp_path: Path) -> None:
    """The lines of a file are read before the start, those of standard input are not."""
    script = tmp_path / "script"
    script.write_text("# an outage\ncrash\n\nwait 1.5\nrevive\nend")
    assert parse_options({"script": str(script)}).script == tuple(script.read_text().splitlines())
    assert parse_options({"script": "-"}).script is None


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("gpus", "many", "--gpus: 'many' is not a whole number from 0 to 10000"),
        ("gpus", "-1", "--gpus: '-1' is not a whole number"),
        ("gpus", "10001", "--gpus: '10001' is not a whole number"),
        ("gpus", "\u0663", "--gpus: '\\u0663' is not a whole number"),
        ("gpus", "", "--gpus: '' is not a whole number"),
        ("free", "some", "--free: 'some' is not a whole number"),
        ("product-id", "H200", "--product-id: 'H200' is not vendor:device"),
        ("nvswitches", "17", "--nvswitches: '17' is not a whole number from 0 to 16"),
        ("latency", "soon", "--latency: 'soon' is not a number of seconds"),
        ("latency", "nan", "--latency: 'nan' is not"),
        ("latency", "99999", "--latency: '99999' is not"),
        ("fault", "resett-in-body", "'resett-in-body' is not a fault; did you mean reset-in-body"),
        ("fault", "reset", "reset-before-headers or reset-in-headers or reset-in-body?"),
        ("fault", "", "--fault: the name of a fault is missing; --list-faults lists all"),
        ("fault", "x\x1b[2J\n" * 99, "--fault: 'x\\x1b[2J\\nx"),
        ("listen", "here", "--listen: 'here' is not host:port; for example 127.0.0.1:19060 or"),
        ("listen", ":80", "--listen: ':80' "),
        ("listen", "::1:80", "--listen: '::1:80' is not host:port"),
        ("listen", "127.0.0.1:70000", "--listen: '127.0.0.1:70000' has a port"),
        ("listen", "unix:vmm.sock", "--listen: the path of the socket is not absolute"),
        ("listen", f"unix:/{'x' * 107}", "--listen: the path of the socket is longer than 107"),
        ("script", "/nowhere/script", "--script: no such file or directory"),
        ("script", "/dev/null", "--script: not a regular file; use - to read lines from"),
    ],
)
def test_invalid_option_is_reported_in_one_short_line(name: str, value: str, message: str) -> None:
    """The line names the option and what is wrong with it."""
    with pytest.raises(UserError) as caught:
        parse_options({name: value})
    text = str(caught.value)
    assert message in text
    assert text.isprintable()
    assert len(text) < 250


def test_invalid_line_of_a_file_is_reported_with_its_number(tmp_path: Path) -> None:
    """All lines are parsed before the first one runs."""
    script = tmp_path / "script"
    script.write_text("crash\nwait 1\nrevive!\n")
    with pytest.raises(UserError, match=r"--script, line 3: not a command; .* ok, fault, "):
        parse_options({"script": str(script)})
