"""The command line: what is accepted, and that no error repeats a value."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dstack_backend.app.cli.commands import COMMANDS
from dstack_backend.app.cli.parser import parse_args
from dstack_backend.app.errors import UserError

SECRET = "S3CRET"
NAMES = "serve, status, check, identity, doctor, gpus, history, notify, demo, simulate, healthcheck"
NO_COMMAND = f"no such command: the commands are {NAMES}"


@pytest.mark.parametrize(
    ("line", "command", "options"),
    [
        ("", "serve", {}),
        ("--data-dir d", "serve", {"DATA_DIR": "d"}),
        ("check", "check", {}),
        ("--dstack-token a check", "check", {"DSTACK_TOKEN": "a"}),
        ("--dstack-token a check --dstack-token b", "check", {"DSTACK_TOKEN": "b"}),
        ("serve --dstack-token=-a", "serve", {"DSTACK_TOKEN": "-a"}),
        ("doctor --json", "doctor", {"json": True}),
        ("simulate --free 2", "simulate", {"free": "2"}),
        ("simulate --list-faults", "simulate", {"list-faults": True}),
        ("status", "status", {}),
        ("status a --watch b:1", "status", {"urls": "a\nb:1", "watch": True}),
        ("status --file f a", "status", {"urls": "a", "file": "f"}),
        ("history --limit 2 --data-dir d", "history", {"limit": "2", "DATA_DIR": "d"}),
    ],
)
def test_command_line_is_accepted(line: str, command: str, options: dict[str, object]) -> None:
    """A command, and its options before and after it. An option that is absent is not there."""
    assert parse_args(line.split()) == (COMMANDS[command], options)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("serve --dstack-tokn S3CRET", "--dstack-tokn: serve has no such option"),
        ("--dstack-tokn S3CRET", f"{NO_COMMAND} (and no option --dstack-tokn before a command)"),
        ("--token S3CRET", f"{NO_COMMAND} (and no option --token before a command)"),
        ("--dstack-token S3CRET S3CRET", NO_COMMAND),
        ("--token=S3CRET --url=S3CRET check", "--token, --url: check has no such option"),
        ("--dstack-tok=S3CRET", "--dstack-tok: serve has no such option"),
        ("check --dstack-tok S3CRET", "--dstack-tok: check has no such option"),
        ("serve --token -S3CRET --S3CRET", "--token: serve has no such option"),
        ("serve --gpus 3", "--gpus: serve has no such option"),
        ("S3CRET", NO_COMMAND),
        ("serve S3CRET", "serve: a value without its option"),
        ("status a -S3CRET", "status: a value without its option"),
        ("status --token S3CRET", "--token: status has no such option"),
        ("serve -S3CRET", "serve: a value without its option"),
        ("check --dstack-token", "--dstack-token: needs a value"),
        ("check --dstack-token -S3CRET", "--dstack-token: needs a value"),
        ("doctor --json=S3CRET", "--json: takes no value"),
        ("--help=S3CRET", "-h/--help: takes no value"),
        ("--print-completion", "--print-completion: needs one of bash, zsh, tcsh"),
        ("--print-completion S3CRET", "--print-completion: needs one of bash, zsh, tcsh"),
    ],
)
def test_command_line_is_refused_without_repeating_values(line: str, message: str) -> None:
    """A token stands after an option that is mistyped, or in the place of a command."""
    with pytest.raises(UserError) as caught:
        parse_args(line.split())
    text, _, hint = str(caught.value).partition("; see ")
    assert text == message
    assert hint.startswith("dstack-backend ")
    assert hint.endswith("--help")
    assert caught.value.exit_code == 2
    assert SECRET not in str(caught.value)
    assert caught.value.__suppress_context__ or caught.value.__context__ is None


@pytest.mark.parametrize(
    ("command", "option"),
    [
        ("check", "--history"),
        ("check", "--listen-addr"),
        ("demo", "--dstack-token"),
        ("simulate", "--listen-addr"),
        ("history", "--history-retention"),
        ("healthcheck", "--dstack-url"),
    ],
)
def test_option_of_another_command_is_refused(command: str, option: str) -> None:
    """An option without an effect is a mistake, before the command and after it."""
    for line in ([command, option, SECRET], [option, SECRET, command]):
        with pytest.raises(UserError) as caught:
            parse_args(line)
        assert str(caught.value) == (
            f"{option}: {command} has no such option; see dstack-backend {command} --help"
        )


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("notify --notify-urls", "--notify-urls: needs a value; see dstack-backend notify --help"),
        ("notify --test=S3CRET", "--test: takes no value; see dstack-backend notify --help"),
        (
            "--log-level check doctor --data-dir",
            "--data-dir: needs a value; see dstack-backend doctor --help",
        ),
        ("--data-dir", "--data-dir: needs a value; see dstack-backend --help"),
    ],
)
def test_error_names_the_help_of_the_command(line: str, message: str) -> None:
    """The option is listed there."""
    assert refusal(line.split()) == message


def refusal(arguments: list[str]) -> str:
    """Return the message; nothing where the line is accepted."""
    try:
        parse_args(arguments)
    except UserError as exc:
        return str(exc)
    return ""


ARGUMENTS = st.sampled_from(
    ("serve", "check", "simulate", "--dstack-token", "--json", "--gpus", "--", "-", "-x", "=")
)
SECRETS = st.builds("{}{}{}".format, st.text(max_size=3), st.just(SECRET), st.text(max_size=3))


@given(st.lists(ARGUMENTS | SECRETS | st.builds("{}={}".format, ARGUMENTS, SECRETS), max_size=5))
def test_no_command_line_makes_an_error_repeat_a_secret(arguments: list[str]) -> None:
    """Wherever the secret stands, it is accepted as a value or not shown."""
    message = refusal(arguments)
    assert SECRET not in message
    assert message.isprintable()
