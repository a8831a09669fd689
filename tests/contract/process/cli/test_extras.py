"""The commands with msgspec alone: each runs, or names the extra that it needs in one line."""

import subprocess
import sys
from pathlib import Path

import pytest

from dstack_backend.adapters.sqlite_history import SqliteHistory
from tests.contract.process.service import free_port

BASE = """
import sys

class Blocker:
    def find_spec(self, name, path=None, target=None):
        allowed = sys.stdlib_module_names | {"dstack_backend", "msgspec"}
        if name.partition(".")[0] not in allowed:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

for name in [*sys.modules]:  # hooks of the environment may have loaded some
    if name.partition(".")[0] not in sys.stdlib_module_names | {"__main__"}:
        del sys.modules[name]
sys.meta_path.insert(0, Blocker())
from dstack_backend.app.cli.main import program
program()
"""


def run_base(*arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
    """Run a command where only msgspec is installed."""
    command = [sys.executable, "-c", BASE, *arguments]
    environ = {"HISTORY": "off", **env}
    return subprocess.run(
        command, env=environ, capture_output=True, text=True, timeout=30, check=False
    )


def assert_needs(done: subprocess.CompletedProcess[str], subject: str, extra: str) -> None:
    """Assert the exit code, and one line that says what to install."""
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        f"dstack-backend: {subject}: needs the extra {extra};"
        f" run: pip install 'dstack-backend[{extra}]'\n"
    )


@pytest.mark.parametrize("command", ["serve", "check", "identity", "doctor", "demo", "notify"])
def test_command_that_needs_the_server_names_the_extra(command: str) -> None:
    """Exit code 2, and one line with the command that installs it."""
    assert_needs(run_base(command), command, "server")


def test_completion_needs_the_server() -> None:
    """The library that writes the script is part of it."""
    assert_needs(run_base("--print-completion", "bash"), "--print-completion", "server")


def test_bad_setting_comes_before_a_missing_extra() -> None:
    """The settings of the service itself need no library."""
    done = run_base("serve", CHECK_INTERVAL="ten")
    assert done.returncode == 2
    assert done.stderr.startswith("dstack-backend: CHECK_INTERVAL (--check-interval): ")


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], ["check", "--help"]])
def test_help_and_version_need_no_extra(arguments: list[str]) -> None:
    """They say what there is, whatever is installed."""
    done = run_base(*arguments)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout


@pytest.mark.parametrize("command", ["history", "gpus"])
def test_commands_that_read_the_history_need_no_extra(command: str, tmp_path: Path) -> None:
    """They read a history in which nothing is known yet."""
    SqliteHistory(tmp_path).close()
    done = run_base(command, "--history", "on", "--data-dir", str(tmp_path))
    assert (done.returncode, done.stdout) == (1, "")
    assert "nothing is written yet" in done.stderr


def test_healthcheck_needs_no_extra() -> None:
    """It ends with 1: there is no service."""
    done = run_base("healthcheck", "--listen-addr", f"127.0.0.1:{free_port()}")
    assert done.returncode == 1, done.stderr


def test_simulate_needs_no_extra() -> None:
    """It runs on the standard library."""
    done = run_base("simulate", "--list-faults")
    assert (done.returncode, done.stderr) == (0, "")
    assert "status-400" in done.stdout


def test_npub_names_the_extra_nostr() -> None:
    """A hexadecimal key needs nothing; an npub has to be decoded."""
    key = "npub10elfcs4fr0l0r8af98jlmgdh9c8tcxjvz9qkw038js35mp4dma8qzvjptg"
    done = run_base("serve", PUBKEYS=key)
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1
    assert "PUBKEYS (--pubkeys): entry 1 needs the extra nostr" in done.stderr
    assert "pip install 'dstack-backend[nostr]'" in done.stderr


def test_address_for_messages_names_the_extra_notify() -> None:
    """Everything but Apprise is installed."""
    program = "import sys; sys.modules['apprise'] = None\n"
    program += "from dstack_backend.app.cli.main import program; program()"
    command = [sys.executable, "-c", program, "serve", "--notify-urls", "json://localhost"]
    environ = {"HISTORY": "off", "LISTEN_ADDR": f"127.0.0.1:{free_port()}"}
    done = subprocess.run(
        command, env=environ, capture_output=True, text=True, timeout=30, check=False
    )
    assert_needs(done, "NOTIFY_URLS", "notify")
