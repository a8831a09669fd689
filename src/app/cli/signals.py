"""Ends the process at a signal, from the first line of the program on.

`_signal` is built into Python. `signal` also imports `enum`: more than the rest of this start.
"""

import os
from importlib import import_module

signal = import_module("_signal")

__all__ = ["exit_on_signals"]


def exit_on_signals(code: int | None = None) -> None:
    """Let SIGTERM, SIGINT and SIGHUP end the process, by default with 128 plus the number.

    Without a handler, the kernel ignores SIGTERM for the first process of a container. A signal
    that the parent process has set to be ignored stays ignored, as SIGHUP does with nohup.
    """

    def end(number: int, _frame: object) -> None:
        os._exit(128 + number if code is None else code)

    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        if signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, end)
