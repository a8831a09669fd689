"""`dstack-backend status --watch` on a terminal and in a pipe."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from typing import IO, cast

import pytest

from dstack_backend.testing.simulated_dstack import EIGHT_H200, Remote
from tests.contract.process.cli.terminal import Terminal
from tests.contract.process.service import Service, free_port, run_command

OPEN, HOME, CLOSE = "\x1b[?1049h\x1b[?25l", "\x1b[H", "\x1b[?25h\x1b[?1049l"


def test_status_on_a_terminal_has_colours_and_fits(service: Service) -> None:
    """NO_COLOR takes the colours away, and the words stay."""
    refused = f"127.0.0.1:{free_port()}"
    for no_color, is_coloured in (("", True), ("1", False)):
        with Terminal("status", service.netloc, refused, no_color=no_color) as terminal:
            assert terminal.wait() == 1
            text = terminal.received
        assert ("\x1b[32mavailable" in text) is is_coloured
        lines = re.sub("\x1b\\[[0-9;]*m", "", text).split("\r\n")
        assert lines[0] == "2 nodes: 1 available, 1 no answer"
        assert max(map(len, lines)) <= 80
        assert f"{refused}: Connection error: connection refused" in lines


def test_watch_redraws_in_place_and_ends_with_ctrl_c(service: Service, dstack: Remote) -> None:
    """A change is shown long before the next poll, and the last drawing stays."""
    with Terminal("status", service.netloc, "--watch") as terminal:
        end = terminal.read_until(r"1 node: 1 available")
        assert terminal.received.startswith(OPEN + HOME)
        dstack.crash()
        end = terminal.read_until(r"\x1b\[H\x1b\[K\x1b\[1m1 node: 1 unavailable", after=end)
        end = terminal.read_until("connection refused.*\x1b\\[J", after=end)
        dstack.revive()
        end = terminal.read_until(r"\x1b\[H\x1b\[K\x1b\[1m1 node: 1 available", after=end)
        dstack.dstack.gpus = EIGHT_H200[1:]
        terminal.read_until("missing: 19:00.0", after=end)
        assert CLOSE not in terminal.received
        terminal.press("C")
        assert terminal.wait() == 0
        drawing = terminal.received.rpartition(CLOSE)[2]
        assert "1 node: 1 degraded" in drawing
        assert drawing.endswith("\r\n")


def test_watch_ends_also_while_the_terminal_is_stopped(service: Service) -> None:
    """After Ctrl-S nothing that is written arrives."""
    with Terminal("status", service.netloc, "--watch") as terminal:
        terminal.read_until("1 node: 1 available")
        terminal.press("S")
        time.sleep(2.5)  # it draws every second
        terminal.process.send_signal(signal.SIGTERM)
        assert terminal.process.wait(timeout=5) == 0


def test_dumb_terminal_gets_plain_text(service: Service) -> None:
    """As in an editor."""
    with Terminal("status", service.netloc, term="dumb") as terminal:
        assert terminal.wait() == 0
        assert terminal.received.startswith("node ")
        assert "\x1b" not in terminal.received


def test_watch_shows_a_node_that_stops_and_returns(
    serve: Callable[..., Service], dstack: Remote
) -> None:
    """Its stream is opened again."""
    port = free_port()
    first = serve(DSTACK_URL=dstack.url, port=port)
    first.wait_for(None)
    with Terminal("status", first.netloc, "--watch") as terminal:
        end = terminal.read_until("1 node: 1 available")
        first.end()
        end = terminal.read_until("1 node: 1 no answer", after=end)
        serve(DSTACK_URL=dstack.url, port=port)
        end = terminal.read_until("1 node: 1 available", after=end)
        dstack.crash()
        terminal.read_until("1 node: 1 unavailable", after=end)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_watch_in_a_pipe_prints_a_line_per_change(
    number: signal.Signals, service: Service, dstack: Remote
) -> None:
    """As JSON; a signal ends it with 0."""
    with subprocess.Popen(
        [sys.executable, "-m", "dstack_backend", "status", service.netloc, "--watch", "--json"],
        env={"PATH": os.environ["PATH"]},
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        lines = cast("IO[str]", process.stdout)
        assert json.loads(lines.readline())["exit_code"] == 0
        dstack.crash()
        second = json.loads(lines.readline())
        assert second["exit_code"] == 1
        assert second["nodes"][0]["reason"] == "connection_refused"
        process.send_signal(number)
        assert lines.read() == ""
        assert process.wait(timeout=10) == 0


def test_watch_ends_when_its_reader_has_ended(service: Service, dstack: Remote) -> None:
    """As with `head -1`: with the next change."""
    with subprocess.Popen(
        [sys.executable, "-m", "dstack_backend", "status", service.netloc, "--watch"],
        env={"PATH": os.environ["PATH"]},
        stdout=subprocess.PIPE,
    ) as process:
        pipe = cast("IO[bytes]", process.stdout)
        assert pipe.readline().startswith(b"node ")
        assert b" available " in pipe.readline()
        pipe.close()
        dstack.crash()
        assert process.wait(timeout=20) == 0


def test_watch_on_a_full_disk_exits_with_74() -> None:
    """It does not go on without its output."""
    with open("/dev/full", "wb") as disk:  # noqa: PTH123 - a device
        done = subprocess.run(
            [sys.executable, "-m", "dstack_backend", "status", "127.0.0.1:1", "--watch"],
            env={"PATH": os.environ["PATH"]},
            stdout=disk,
            stderr=subprocess.PIPE,
            timeout=30,
            check=False,
        )
    assert done.returncode == 74
    assert run_command("status", "127.0.0.1:1").returncode == 1
