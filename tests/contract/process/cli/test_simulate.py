"""`dstack-backend simulate`: the simulated DStack, its faults and its script."""

import signal
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import IO, cast

import pytest

from dstack_backend.domain import CheckFailure, GpuInventory, Reason
from dstack_backend.testing.faults import FAULTS
from tests.contract.process.cli.simulation import Simulation
from tests.contract.process.service import Service, wait_until

MAX_STOP = 3.0


Simulate = Callable[..., Simulation]


@pytest.fixture
def simulate() -> Iterator[Simulate]:
    """Start simulations. All of them end after the test."""
    with ExitStack() as ends:

        def start(*options: str) -> Simulation:
            simulation = Simulation(*options)
            ends.callback(simulation.close)
            return simulation

        yield start


def test_first_line_is_the_url_of_a_healthy_dstack(simulate: Simulate) -> None:
    """Without options it has eight free H200s."""
    simulation = simulate()
    assert simulation.url.startswith("http://127.0.0.1:")
    inventory = simulation.inventory()
    assert [gpu.model for gpu in inventory.gpus] == ["H200 SXM 141GB"] * 8
    assert inventory.free_count == 8


def test_gpus_options_set_number_kind_and_free_ones(simulate: Simulate) -> None:
    """Each GPU has its own slot."""
    simulation = simulate("--gpus", "300", "--free", "7", "--product-id", "10DE:26B9")
    inventory = simulation.inventory()
    assert (len(inventory.gpus), inventory.free_count) == (300, 7)
    assert {(gpu.product_id, gpu.model) for gpu in inventory.gpus} == {("10de:26b9", "L40S")}
    assert len({gpu.slot for gpu in inventory.gpus}) == 300


def test_zero_gpus_and_unknown_vendors_are_possible(simulate: Simulate) -> None:
    """No GPUs are an inventory; the description of another vendor's card is not NVIDIA's."""
    simulation = simulate("--gpus", "0", "--product-id", "1002:74a1", "--script", "-")
    assert simulation.inventory().gpus == ()
    simulation.run_line("gpus 1")
    assert "NVIDIA" not in simulation.inventory().gpus[0].description


def test_unix_socket_is_removed_at_the_end(simulate: Simulate, tmp_path: Path) -> None:
    """DStack itself listens at `unix:/path`."""
    path = tmp_path / "vmm.sock"
    simulation = simulate("--listen", f"unix:{path}")
    assert simulation.url == f"unix:{path}"
    assert simulation.reason() is None
    assert simulation.end() == (0, "")
    assert not path.exists()


@pytest.mark.parametrize(
    ("listen", "url"), [("0.0.0.0", "http://127.0.0.1"), ("[::1]", "http://[::1]")]
)
def test_printed_url_can_be_connected_to(simulate: Simulate, listen: str, url: str) -> None:
    """For all addresses the URL has the loopback address."""
    simulation = simulate("--listen", f"{listen}:0")
    assert simulation.url.startswith(f"{url}:")
    assert simulation.reason() is None


def test_token_is_required(simulate: Simulate) -> None:
    """The script changes and removes the token."""
    simulation = simulate("--token", "sesame", "--script", "-")
    assert simulation.reason() is Reason.UNAUTHORIZED
    assert isinstance(simulation.check("sesame"), GpuInventory)
    simulation.run_line("token other")
    assert isinstance(simulation.check("sesame"), CheckFailure)
    simulation.run_line("token")
    assert simulation.reason() is None


def test_answers_take_the_latency(simulate: Simulate) -> None:
    """The script changes it."""
    simulation = simulate("--latency", "0.3", "--script", "-")
    started = time.monotonic()
    simulation.inventory()
    assert time.monotonic() - started >= 0.3
    simulation.run_line("latency 60")
    assert simulation.reason(timeout=0.5) is Reason.TIMED_OUT


@pytest.mark.parametrize("name", ["reset-in-body", "hang-before-headers", "status-500"])
def test_fault_applies_from_the_first_request_on(simulate: Simulate, name: str) -> None:
    """`--fault` takes the names of `--list-faults`."""
    reason = FAULTS[name].reason
    timeout = 0.5 if reason is Reason.TIMED_OUT else 5.0
    assert simulate("--fault", name).reason(timeout) is reason


def test_piped_script_runs_line_by_line(simulate: Simulate) -> None:
    """Each line changes the answers to the requests that follow."""
    simulation = simulate("--script", "-")
    simulation.run_line("crash")
    assert simulation.reason() is Reason.CONNECTION_REFUSED
    simulation.run_line("crash")
    simulation.run_line("revive")
    simulation.run_line("revive")
    assert simulation.reason() is None
    simulation.run_line("fault closed-in-body")
    assert simulation.reason() is Reason.CONNECTION_CLOSED
    simulation.run_line("fault no-gpus")
    assert simulation.inventory().gpus == ()
    simulation.run_line("ok")
    simulation.run_line("free 5")
    assert simulation.inventory().free_count == 5
    simulation.run_line("gpus 4")
    assert simulation.inventory().free_count == 4
    simulation.run_line("gpus 9")
    simulation.run_line("free all")
    assert simulation.inventory().free_count == 9


def test_single_gpus_are_lost_and_return_by_slot(
    simulate: Simulate, serve: Callable[..., Service]
) -> None:
    """The service logs which one, and its status is degraded until it returns."""
    simulation = simulate("--nvswitches", "4", "--script", "-")
    service = serve(DSTACK_URL=simulation.url, CHECK_INTERVAL="0.2", LOG_LEVEL="debug")
    service.wait_for(None)
    assert len(service.status()["other_devices"]) == 4
    simulation.run_line("lose 3b:00.0")
    wait_until(lambda: service.status()["degraded"])
    assert [each["slot"] for each in service.status()["missing"]] == ["3b:00.0"]
    simulation.run_line("return 0000:3b:00.0")
    wait_until(lambda: not service.status()["degraded"])
    simulation.run_line("allocate 19:00.0")
    wait_until(lambda: "GPU allocated: H200 SXM 141GB in 19:00.0" in service.log)
    simulation.run_line("replace 7 10de:2330")
    wait_until(lambda: "GPU replaced: H100 SXM5 80GB in db:00.0" in service.log)
    assert service.log.count(" WARNING GPU lost: H200 SXM 141GB in 3b:00.0, last seen ") == 1
    assert service.log.count(" INFO    GPU returned: H200 SXM 141GB in 3b:00.0, missing ") == 1


def test_invalid_lines_of_a_pipe_are_reported_and_the_next_one_runs(simulate: Simulate) -> None:
    """Each is one line on standard error."""
    simulation = simulate("--script", "-")
    wrong = ("fault reset", "crush", "free 9", "gpus many", "crash now", "\x1b[2J", "lose \x07")
    for line in (*wrong, "", "# a comment"):
        simulation.send(line)
    simulation.run_line("gpus 2")
    assert len(simulation.inventory().gpus) == 2
    simulation.send("end")
    code, errors = simulation.wait()
    messages = errors.splitlines()
    assert code == 0
    assert len(messages) == len(wrong)
    assert all(line.startswith("dstack-backend: '") for line in messages)
    assert "did you mean reset-before-headers or" in messages[0]
    assert errors.replace("\n", "").isprintable()


def test_end_of_standard_input_does_not_end_the_simulation(simulate: Simulate) -> None:
    """The state of the last line stays."""
    simulation = simulate("--script", "-")
    simulation.run_line("gpus 3")
    cast("IO[str]", simulation.process.stdin).close()
    assert len(simulation.inventory().gpus) == 3


def test_script_of_a_file_runs_with_its_pauses(simulate: Simulate, tmp_path: Path) -> None:
    """`wait` delays the next line, and `end` ends the process with 0."""
    script = tmp_path / "script"
    script.write_text("# an outage\nwait 0.5\ncrash\n\nwait 0.4\nrevive\nend\n")
    started = time.monotonic()
    simulation = simulate("--script", str(script))
    assert simulation.wait() == (0, "")
    assert time.monotonic() - started > 0.9
    seconds = {line.split(" s  ")[1]: float(line.split()[0]) for line in simulation.lines}
    assert list(seconds) == ["wait 0.5", "crash", "wait 0.4", "revive", "end"]
    assert seconds["crash"] >= 0.5
    assert seconds["revive"] - seconds["crash"] >= 0.4


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=["SIGTERM", "SIGINT"])
def test_signal_ends_it_with_0_within_3_s(simulate: Simulate, number: signal.Signals) -> None:
    """Neither a client whose request hangs nor a silent pipe delays the end."""
    simulation = simulate("--fault", "hang-in-body", "--script", "-")
    host, port = simulation.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=5) as client:
        client.sendall(b"GET /prpc/ListGpus?json HTTP/1.1\r\n\r\n")
        assert client.recv(100)
        started = time.monotonic()
        assert simulation.end(number) == (0, "")
        assert time.monotonic() - started < MAX_STOP


def test_service_shows_the_reason_of_each_fault_of_the_script(
    simulate: Simulate, serve: Callable[..., Service]
) -> None:
    """The two commands together let an operator see each reason."""
    simulation = simulate("--gpus", "2", "--script", "-")
    service = serve(DSTACK_URL=simulation.url, CHECK_INTERVAL="0.2")
    service.wait_for(None)
    simulation.run_line("crash")
    service.wait_for("connection_refused")
    simulation.run_line("fault status-503")
    simulation.run_line("revive")
    service.wait_for("http_error")
    simulation.run_line("ok")
    assert service.wait_for(None)["inventory"]["gpu_count"] == 2
