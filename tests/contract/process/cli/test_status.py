"""`dstack-backend status` as a process: real services, and whatever else may listen."""

import asyncio
import json
import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import msgspec
import pytest

from dstack_backend.testing.faults import FAULTS
from dstack_backend.testing.simulated_dstack import (
    EIGHT_H200,
    Behaviour,
    Remote,
    Request,
    SimulatedDStack,
    http_answer,
    in_thread,
)
from tests.contract.process.service import Service, free_port, run_command, wait_until

HOSTILE = "a\x9b31m\x1b[2J\u202e[red]b[/]\r\n\t\x85"


def rows_of(*arguments: str, **env: str) -> list[dict[str, Any]]:
    """Return the rows of the nodes as JSON."""
    done = run_command("status", "--json", *arguments, **env)
    assert done.stderr == ""
    assert done.stdout.count("\n") == 1
    output = json.loads(done.stdout)
    assert done.returncode == output["exit_code"]
    return list(output["nodes"])


@pytest.fixture
def server() -> Iterator[Callable[[Behaviour], str]]:
    """Starts servers that are no dstack-backend, and returns the address of each."""
    with ExitStack() as ends:

        def start(behaviour: Behaviour) -> str:
            remote = ends.enter_context(in_thread(SimulatedDStack()))
            remote.dstack.behaviour = behaviour
            return remote.url.removeprefix("http://")

        yield start


def test_available_node_is_one_line_and_exit_code_0(service: Service) -> None:
    """By default the service on this machine is asked, as `healthcheck` does."""
    done = run_command("status", LISTEN_ADDR=f"0.0.0.0:{service.port}")
    assert (done.returncode, done.stderr) == (0, "")
    _, row = (re.split("   +", line) for line in done.stdout.splitlines())
    assert row[:2] == [service.status()["node"], "available"]
    assert row[3:] == ["3", "5", "0", "100 %", "-"]
    (found,) = rows_of(service.netloc)
    assert (found["url"], found["status"]) == (service.url(""), "available")
    assert found["since"] == service.status()["last_change"]


def test_node_with_a_missing_gpu_is_degraded_and_exit_code_1(
    service: Service, dstack: Remote
) -> None:
    """`/health` stays available."""
    dstack.dstack.gpus = EIGHT_H200[1:]
    wait_until(lambda: service.status()["missing"])
    done = run_command("status", service.netloc)
    assert done.returncode == 1
    assert re.split("   +", done.stdout.splitlines()[1])[1] == "degraded"
    (row,) = rows_of(service.netloc)
    assert (row["message"], row["gpus_missing"]) == ("missing: 19:00.0", 1)
    assert row["since"] == service.status()["missing"][0]["last_seen"]


def test_each_node_is_a_row_whatever_it_answers(
    service: Service, serve: Callable[..., Service], server: Callable[..., str], tmp_path: Path
) -> None:
    """One answers, and the others refuse, hang, fail, or are something else."""
    down = serve(DSTACK_URL=f"unix:{tmp_path}/vmm.sock")
    down.wait_for("socket_not_found")
    expected = {
        service.netloc: ("available", None),
        down.netloc: ("unavailable", "socket_not_found"),
        f"127.0.0.1:{free_port()}": ("no_answer", "connection_refused"),
        server(FAULTS["hang-before-headers"].behaviour): ("no_answer", "timed_out"),
        server(FAULTS["trickled-body"].behaviour): ("no_answer", "timed_out"),
        server(FAULTS["status-500"].behaviour): ("no_answer", "http_error"),
        server(FAULTS["json-html"].behaviour): ("no_answer", "invalid_response"),
        server(FAULTS["ssh"].behaviour): ("no_answer", "invalid_response"),
        server(FAULTS["over-8-mib"].behaviour): ("no_answer", "response_too_large"),
        "gpu.invalid": ("no_answer", "host_not_found"),
        f"https://{service.netloc}": ("no_answer", "tls_failed"),
    }
    file = tmp_path / "nodes.txt"
    file.write_text("\n".join(expected))
    found = rows_of("--file", str(file))
    assert [(each["status"], each["reason"]) for each in found] == list(expected.values())
    done = run_command("status", "--file", str(file))
    assert (done.returncode, done.stderr) == (1, "")
    assert len(done.stdout.splitlines()) == 1 + len(expected)
    assert "\x1b" not in done.stdout
    assert "canary" not in done.stdout


def test_twenty_nodes_are_asked_at_once(server: Callable[..., str]) -> None:
    """No node answers before all twenty were asked."""
    waiting, all_asked = 0, asyncio.Event()

    async def behave(_: Request, writer: asyncio.StreamWriter) -> None:
        nonlocal waiting
        waiting += 1
        if waiting == 20:
            all_asked.set()
        await all_asked.wait()
        writer.write(http_answer(404, b""))

    address = server(behave)
    found = rows_of(*(f"{address}/node-{number}" for number in range(20)))
    assert {each["reason"] for each in found} == {"http_error"}


def test_texts_of_a_hostile_node_are_printable(server: Callable[..., str]) -> None:
    """Neither a terminal nor rich obeys them."""
    status: dict[str, Any] = {
        "status": "available",
        "reason": HOSTILE,
        "message": HOSTILE * 999,
        "last_change": "2026-11-26T12:00:00Z",
        "inventory": {},
        "degraded": True,
        "missing": [{"slot": HOSTILE * 99, "last_seen": "2026-11-26T12:00:00Z"}] * 9,
        "node": HOSTILE * 99,
    }

    async def behave(_: Request, writer: asyncio.StreamWriter) -> None:
        writer.write(http_answer(200, msgspec.json.encode(status)))

    address = server(behave)
    for option in ([], ["--json"]):
        text = run_command("status", address, *option).stdout
        assert "\\u009b31m" in text
        assert all(line.isprintable() for line in text.split("\n"))
        assert len(text) < 1000


@pytest.mark.parametrize(
    ("arguments", "fault"),
    [
        (["host:port"], "address 1: its host or its port is invalid; for example gpu-01:8080"),
        ([""], "address 1: its host or its port is invalid; for example gpu-01:8080"),
        (["--file", "/nowhere"], "--file: cannot be read: no such file or directory"),
        (["--wach"], "--wach: status has no such option; see dstack-backend status --help"),
        (["--watch=1"], "--watch: takes no value; see dstack-backend status --help"),
    ],
)
def test_bad_address_or_option_is_one_line_and_exit_code_2(
    arguments: list[str], fault: str
) -> None:
    """Before a node is asked."""
    done = run_command("status", *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == f"dstack-backend: {fault}\n"
