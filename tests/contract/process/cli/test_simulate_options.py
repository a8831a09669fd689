"""`dstack-backend simulate`: its options, its exit codes and the list of faults."""

import subprocess
import sys
from pathlib import Path

import pytest

from dstack_backend.app.config.settings import SETTINGS
from dstack_backend.testing.faults import FAULTS, HOSTILE_ANSWERS
from tests.contract.process.cli.simulation import SIMULATE, Simulation
from tests.contract.process.service import free_port, run_command

WITHOUT_THE_EXTRA = """
import sys
for name in ("hypothesis", "jsonschema", "pytest", "_pytest"):
    sys.modules[name] = None
from dstack_backend.app.cli.main import main
main(sys.argv[1:])
"""


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--free", "9"), "--free: there are 8 GPUs, so 9 cannot be free"),
        (("--fault",), "--fault: needs a value; see dstack-backend"),
        (("--listen", "here"), "--listen: 'here' is not host:port; for example"),
        (("--listen", "192.0.2.1:0"), "--listen: cannot assign requested address"),
        (("--listen", "unix:/nowhere/vmm.sock"), "--listen: no such file or directory"),
        (("--listen", f"unix:/{'x' * 200}"), "--listen: the path of the socket is longer than"),
        (("--check-interval", "5"), "--check-interval: simulate has no such option"),
    ],
    ids=["free", "fault", "listen", "foreign", "no-folder", "too-long", "not-its-own"],
)
def test_invalid_option_ends_the_start_with_2_and_one_line(
    options: tuple[str, ...], message: str
) -> None:
    """The line has the option and what is wrong with it. There is no traceback."""
    done = run_command("simulate", "--listen", "127.0.0.1:0", *options)
    assert (done.returncode, done.stdout) == (2, "")
    assert message in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_address_in_use_is_not_taken_over(tmp_path: Path) -> None:
    """The first process keeps its port, or its socket."""
    for listen in (f"127.0.0.1:{free_port()}", f"unix:{tmp_path / 'vmm.sock'}"):
        first = Simulation("--listen", listen)
        try:
            second = run_command("simulate", "--listen", listen)
            assert second.returncode == 2
            assert "--listen: " in second.stderr
            assert first.reason() is None
        finally:
            first.close()


def test_list_of_faults_contains_each_with_its_reason() -> None:
    """Unusual answers that are valid have `available`."""
    done = run_command("simulate", "--list-faults")
    listed = dict(line.split() for line in done.stdout.splitlines())
    assert (done.returncode, done.stderr) == (0, "")
    assert listed == {
        **{name: fault.reason.value for name, fault in FAULTS.items()},
        **dict.fromkeys(HOSTILE_ANSWERS, "available"),
    }


def test_closed_output_is_not_an_error() -> None:
    """`dstack-backend simulate ... | head -1` ends with 0."""
    command = " ".join(SIMULATE) + " --list-faults | head -1; exit ${PIPESTATUS[0]}"
    done = subprocess.run(
        ["/bin/bash", "-c", command], capture_output=True, timeout=20, check=False
    )
    assert (done.returncode, done.stderr) == (0, b"")


def test_simulate_works_without_the_testing_extra(tmp_path: Path) -> None:
    """Nothing imports pytest, hypothesis or jsonschema."""
    script = tmp_path / "script"
    script.write_text("fault json-nested-arrays\nok\nend\n")
    options = ("simulate", "--listen", "127.0.0.1:0", "--script", str(script))
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_THE_EXTRA, *options],
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert len(done.stdout.splitlines()) == 4


def test_simulate_and_service_have_separate_options() -> None:
    """Each command lists its own and rejects the others."""
    offered = run_command("simulate", "--help").stdout
    assert "--fault" in offered
    assert not [setting.option for setting in SETTINGS if setting.option in offered]
    assert not [each for each in SETTINGS if each.variable in offered]
    for command in ("serve", "check", "demo", "healthcheck"):
        assert "--fault" not in run_command(command, "--help").stdout
    done = run_command("--check-interval", "5", "simulate")
    assert (done.returncode, len(done.stderr.splitlines())) == (2, 1)
    assert "--check-interval: " in done.stderr
