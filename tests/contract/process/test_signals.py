"""Signals to the real process: at its start, and while it runs."""

import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence

import pytest

from tests.contract.process.service import Service, free_port

PROGRAM = (sys.executable, "-m", "dstack_backend")
SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
DELAYS = [each / 1000 for each in (20, 30, 40, 50, 60, 80, 100, 150, 200, 300, 400, 600)]


@pytest.mark.parametrize("number", SIGNALS, ids=lambda number: number.name)
def test_service_that_runs_ends_orderly(
    serve: Callable[..., Service], number: signal.Signals
) -> None:
    """Exit code 0, and a line in the log."""
    service = serve(DSTACK_URL="http://127.0.0.1:1")
    code, seconds = service.end(number)
    assert (code, seconds < 3.0) == (0, True)
    assert service.log.splitlines()[-1].endswith("stopped")


def test_nohup_keeps_the_service_running(serve: Callable[..., Service]) -> None:
    """A signal that the parent has set to be ignored stays ignored."""
    service = serve(python=("nohup", sys.executable), DSTACK_URL="http://127.0.0.1:1")
    service.process.send_signal(signal.SIGHUP)
    time.sleep(0.5)
    assert service.ask("/livez").code == 200
    assert service.end()[0] == 0


def _end_after(delay: float, number: signal.Signals, *arguments: str) -> tuple[int, str]:
    process = subprocess.Popen(
        [*PROGRAM, *arguments], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )
    with process:
        time.sleep(delay)
        process.send_signal(number)
        _, errors = process.communicate(timeout=20)
    return process.returncode, errors


def _is_traceback_of_the_program(errors: str) -> bool:
    """Return whether a traceback leads beyond the first import: before, only Python can act."""
    return "Traceback" in errors and bool(re.search(r"__main__.py\", line \d+, in main", errors))


def _assert_quiet_ends(number: signal.Signals, codes: set[int], arguments: Sequence[str]) -> None:
    ends = {delay: _end_after(delay, number, *arguments) for delay in DELAYS}
    assert not {delay: end for delay, end in ends.items() if _is_traceback_of_the_program(end[1])}
    # Before its first line runs, the kernel and Python choose the code.
    late = {delay: code for delay, (code, _) in ends.items() if delay >= 0.15}
    assert set(late.values()) <= codes, ends


@pytest.mark.parametrize("number", SIGNALS, ids=lambda number: number.name)
def test_signal_at_the_start_of_the_service_causes_no_traceback(number: signal.Signals) -> None:
    """The exit code is 0, or that of the signal before the command line is known."""
    arguments = ["--history", "off", "--listen-addr", f"127.0.0.1:{free_port()}"]
    _assert_quiet_ends(number, {0, 128 + number}, arguments)


@pytest.mark.parametrize("number", SIGNALS, ids=lambda number: number.name)
def test_signal_during_a_command_causes_no_traceback(number: signal.Signals) -> None:
    """The exit code is that of the signal, or of the result."""
    _assert_quiet_ends(number, {1, 128 + number}, ["check", "--dstack-url", "http://127.0.0.1:1"])
