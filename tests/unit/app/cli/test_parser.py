"""The command line: what is understood, and that what is said of a wrong one repeats no value."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dstack_backend.app.cli.parser import CommandLineError, parse_args

SECRET = "S3CRET"
COMMANDS = "serve, check, identity, doctor, history, demo, simulate, healthcheck"
NO_COMMAND = f"no such command, only {COMMANDS}"


@pytest.mark.parametrize(
    ("line", "understood"),
    [
        ("", {}),
        ("check", {"command": "check"}),
        ("--dstack-token a check", {"command": "check", "DSTACK_TOKEN": "a"}),
        ("serve --dstack-token=-a", {"command": "serve", "DSTACK_TOKEN": "-a"}),
        ("doctor --json", {"command": "doctor", "json": True}),
        ("simulate --free 2", {"command": "simulate", "free": "2"}),
        ("history --limit 2", {"command": "history", "limit": "2"}),
    ],
)
def test_what_is_understood(line: str, understood: dict[str, object]) -> None:
    """A command, and options before and after it; what is not given is not there."""
    assert parse_args(line.split()) == understood


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("serve --dstack-tokn S3CRET", "no such option: --dstack-tokn"),
        ("--dstack-tokn S3CRET", f"{NO_COMMAND}; and before a command no option --dstack-tokn"),
        ("--token S3CRET", f"{NO_COMMAND}; and before a command no option --token"),
        ("--dstack-token S3CRET S3CRET", NO_COMMAND),
        ("--token=S3CRET --url=S3CRET check", "no such option: --token, --url"),
        ("--dstack-tok=S3CRET", "no such option: --dstack-tok"),
        ("check --dstack-tok S3CRET", "no such option: --dstack-tok"),
        ("serve --token -S3CRET --S3CRET", "no such option: --token"),
        ("serve --gpus 3", "no such option: --gpus"),
        ("S3CRET", NO_COMMAND),
        ("serve S3CRET", "a value without its option"),
        ("serve -S3CRET", "a value without its option"),
        ("check --dstack-token", "argument --dstack-token: it needs a value"),
        ("check --dstack-token -S3CRET", "argument --dstack-token: it needs a value"),
        ("doctor --json=S3CRET", "argument --json: it takes no value"),
        ("--help=S3CRET", "argument -h/--help: it takes no value"),
    ],
)
def test_what_is_not_understood_is_told_without_its_values(line: str, told: str) -> None:
    """A token stands after an option that is mistyped, or in the place of a command."""
    with pytest.raises(CommandLineError) as caught:
        parse_args(line.split())
    assert str(caught.value) == told
    assert SECRET not in str(caught.value)
    assert caught.value.__suppress_context__ or caught.value.__context__ is None


def what_is_said_of(arguments: list[str]) -> str:
    """The message; nothing where the line is understood."""
    try:
        parse_args(arguments)
    except CommandLineError as exc:
        return str(exc)
    return ""


ARGUMENTS = st.sampled_from(
    ("serve", "check", "simulate", "--dstack-token", "--json", "--gpus", "--", "-", "-x", "=")
)
SECRETS = st.builds("{}{}{}".format, st.text(max_size=3), st.just(SECRET), st.text(max_size=3))


@given(st.lists(ARGUMENTS | SECRETS | st.builds("{}={}".format, ARGUMENTS, SECRETS), max_size=5))
def test_no_line_makes_it_repeat_a_secret(arguments: list[str]) -> None:
    """Wherever the secret stands, it is understood as a value or not shown."""
    told = what_is_said_of(arguments)
    assert SECRET not in told
    assert told.isprintable()
