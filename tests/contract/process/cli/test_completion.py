"""Shell completion, as bash runs it."""

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.contract.process.service import run_command

COMPLETE = """
source "$1"; shift
function=$(complete -p dstack-backend | sed 's/.*-F \\([^ ]*\\).*/\\1/')
COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
$function
printf '%s\\n' "${COMPREPLY[@]}"
"""


def complete(script: Path, line: str) -> set[str]:
    """Return what bash offers for the last word of a line."""
    words = ["dstack-backend", *line.split(" ")]
    command = ["bash", "-c", COMPLETE, "bash", str(script), *words]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=30)
    return set(done.stdout.split())


@pytest.mark.skipif(shutil.which("bash") is None, reason="there is no bash")
def test_bash_completes_commands_and_the_options_of_each(tmp_path: Path) -> None:
    """A command offers its own options; without a command those of `serve` are offered."""
    done = run_command("--print-completion", "bash")
    assert (done.returncode, done.stderr) == (0, "")
    script = tmp_path / "completion"
    script.write_text(done.stdout)
    assert complete(script, "hea") == {"healthcheck"}
    assert complete(script, "--dstack-t") == {"--dstack-token", "--dstack-token-file"}
    assert complete(script, "check --l") == {"--log-level", "--log-format"}
    assert complete(script, f"check --dstack-ca-file {tmp_path}/compl") == {str(script)}


@pytest.mark.parametrize("shell", ["bash", "zsh", "tcsh"])
def test_completion_script_is_printed_for_each_shell(shell: str) -> None:
    """Exit code 0, and a script that names the commands."""
    done = run_command("--print-completion", shell)
    assert (done.returncode, done.stderr) == (0, "")
    assert "healthcheck" in done.stdout
