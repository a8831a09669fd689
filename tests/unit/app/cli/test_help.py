"""`--help` of each command: its own settings and defaults, on one screen, with an example."""

import re
import shlex

import pytest

from dstack_backend.app.cli.commands import COMMANDS
from dstack_backend.app.cli.parser import parse_args
from dstack_backend.app.config.settings import SETTINGS

LINES, COLUMNS = 40, 80


@pytest.fixture(autouse=True)
def _terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """A terminal of the usual size."""
    monkeypatch.setenv("COLUMNS", str(COLUMNS))


def help_of(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """Return what `--help` prints."""
    with pytest.raises(SystemExit) as ended:
        parse_args([*arguments, "--help"])
    assert ended.value.code == 0
    return capsys.readouterr().out


@pytest.mark.parametrize("command", [None, *COMMANDS])
def test_help_fits_on_a_screen_and_ends_with_an_example(
    command: str | None, capsys: pytest.CaptureFixture[str]
) -> None:
    """The example is itself accepted."""
    text = help_of(capsys, *filter(None, [command]))
    lines = text.splitlines()
    assert len(lines) <= LINES
    assert max(map(len, lines)) <= COLUMNS
    assert lines[-2] == "example:"
    example = shlex.split(lines[-1].strip())
    assert example[0] == "dstack-backend"
    if command:
        assert parse_args(example[1:])[0].name == command


@pytest.mark.parametrize("name", COMMANDS)
def test_help_shows_the_settings_of_the_command_and_no_others(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """What is shown is what is accepted."""
    shown = set(re.findall(r"^  (--[a-z-]+)", help_of(capsys, name), re.MULTILINE))
    used = {setting.option for setting in COMMANDS[name].settings}
    assert shown & {setting.option for setting in SETTINGS} == used
    assert shown - used == {f"--{option.name}" for option in COMMANDS[name].options}


def test_help_of_the_demo_shows_its_own_defaults(capsys: pytest.CaptureFixture[str]) -> None:
    """They are not those of the service."""
    text = " ".join(help_of(capsys, "demo").split())
    assert "address (default: 127.0.0.1:8080)" in text
    assert "starts of checks (default: 2)" in text
    assert "in memory only (default: off)" in text
    assert "*:8080" not in text


def test_help_without_a_command_lists_the_commands(capsys: pytest.CaptureFixture[str]) -> None:
    """The settings are in the help of each command."""
    text = help_of(capsys)
    assert re.findall(r"^    ([a-z]+) ", text, re.MULTILINE) == list(COMMANDS)
    assert "--listen-addr" not in text
