"""Signals to the real process: at its start, and while it runs."""

import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from tests.contract.process.service import Service, free_port

PROGRAM = (sys.executable, "-m", "dstack_backend")
SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
DELAYS = [each / 1000 for each in (0, 10, 20, 30, 50, 80, 120, 180, 250, 350, 500)]
"""Seconds after the start, and after the program handles signals."""


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


def _wait_for_handlers(process: subprocess.Popen[str]) -> None:
    """Wait until the program handles SIGTERM, of which Python has no handler."""
    bit = 1 << (signal.SIGTERM - 1)
    while process.poll() is None:
        status = Path(f"/proc/{process.pid}/status").read_text()
        found = re.search(r"^SigCgt:\s*(\w+)", status, re.MULTILINE)
        if found and int(found[1], 16) & bit:
            break
        time.sleep(0.001)


def _end_after(
    delay: float, number: signal.Signals, arguments: Sequence[str], *, handled: bool
) -> tuple[int, str]:
    with subprocess.Popen(
        [*PROGRAM, *arguments], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    ) as process:
        if handled:
            _wait_for_handlers(process)
        time.sleep(delay)
        process.send_signal(number)
        _, errors = process.communicate(timeout=20)
    return process.returncode, errors


def _is_traceback_of_the_program(errors: str) -> bool:
    """Return whether a traceback leads beyond the first import: before, only Python can act."""
    return "Traceback" in errors and bool(re.search(r"__main__.py\", line \d+, in main", errors))


def _assert_quiet_ends(number: signal.Signals, codes: set[int], arguments: Sequence[str]) -> None:
    handled = {each: _end_after(each, number, arguments, handled=True) for each in DELAYS}
    assert {code for code, _ in handled.values()} <= codes, handled
    # Before its first line runs, the kernel and Python choose the code.
    early = {each: _end_after(each, number, arguments, handled=False) for each in DELAYS}
    ends = [*handled.values(), *early.values()]
    assert not [errors for _, errors in ends if _is_traceback_of_the_program(errors)]


@pytest.mark.parametrize("number", SIGNALS, ids=lambda number: number.name)
def test_signal_at_the_start_of_the_service_causes_no_traceback(number: signal.Signals) -> None:
    """The exit code is 0, or that of the signal before the command line is known."""
    arguments = ["--history", "off", "--listen-addr", f"127.0.0.1:{free_port()}"]
    _assert_quiet_ends(number, {0, 128 + number}, arguments)


@pytest.mark.parametrize("number", SIGNALS, ids=lambda number: number.name)
def test_signal_during_a_command_causes_no_traceback(number: signal.Signals) -> None:
    """The exit code is that of the signal, or of the result."""
    _assert_quiet_ends(number, {1, 128 + number}, ["check", "--dstack-url", "http://127.0.0.1:1"])
