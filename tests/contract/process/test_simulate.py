"""`dstack-backend simulate`: a DStack from the command line, healthy, faulty or scripted."""

import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import IO, cast

import pytest

from dstack_backend.app.config.settings import SETTINGS
from dstack_backend.domain import CheckFailure, GpuInventory, Reason
from dstack_backend.testing.faults import FAULTS, HOSTILE_ANSWERS
from tests.contract.process.service import Service, free_port, run_command
from tests.contract.process.simulation import SIMULATE, Simulation

LONGEST_STOP = 3.0
WITHOUT_THE_EXTRA = """
import sys
for name in ("hypothesis", "jsonschema", "pytest", "_pytest"):
    sys.modules[name] = None
from dstack_backend.app.cli.main import main
main(sys.argv[1:])
"""


Simulate = Callable[..., Simulation]


@pytest.fixture
def simulate() -> Iterator[Simulate]:
    """Starts simulations; all of them are ended after the test."""
    with ExitStack() as ends:

        def start(*options: str) -> Simulation:
            simulation = Simulation(*options)
            ends.callback(simulation.close)
            return simulation

        yield start


def test_the_first_line_is_the_address_of_a_dstack_in_good_health(simulate: Simulate) -> None:
    """Without options it has eight H200s, all of them free."""
    simulation = simulate()
    assert simulation.url.startswith("http://127.0.0.1:")
    inventory = simulation.inventory()
    assert [gpu.model for gpu in inventory.gpus] == ["H200 SXM 141GB"] * 8
    assert inventory.free_count == 8


def test_gpus_their_kind_and_how_many_are_free_can_be_chosen(simulate: Simulate) -> None:
    """Each of the GPUs has a slot of its own, in however many domains."""
    simulation = simulate("--gpus", "300", "--free", "7", "--product-id", "10DE:26B9")
    inventory = simulation.inventory()
    assert (len(inventory.gpus), inventory.free_count) == (300, 7)
    assert {(gpu.product_id, gpu.model) for gpu in inventory.gpus} == {("10de:26b9", "L40S")}
    assert len({gpu.slot for gpu in inventory.gpus}) == 300


def test_it_can_be_an_empty_one_of_an_unknown_vendor(simulate: Simulate) -> None:
    """No GPUs are an inventory; a card of another vendor is not given NVIDIA's name."""
    simulation = simulate("--gpus", "0", "--product-id", "1002:74a1", "--script", "-")
    assert simulation.inventory().gpus == ()
    simulation.tell("gpus 1")
    assert "NVIDIA" not in simulation.inventory().gpus[0].description


def test_it_listens_on_a_unix_socket_and_leaves_none_behind(
    simulate: Simulate, tmp_path: Path
) -> None:
    """`unix:/path` is DStack's own way to listen."""
    path = tmp_path / "vmm.sock"
    simulation = simulate("--listen", f"unix:{path}")
    assert simulation.url == f"unix:{path}"
    assert simulation.reason() is None
    assert simulation.end() == (0, "")
    assert not path.exists()


@pytest.mark.parametrize(
    ("listen", "url"), [("0.0.0.0", "http://127.0.0.1"), ("[::1]", "http://[::1]")]
)
def test_the_address_that_it_prints_can_be_used_as_it_is(
    simulate: Simulate, listen: str, url: str
) -> None:
    """On all addresses it is met at loopback's."""
    simulation = simulate("--listen", f"{listen}:0")
    assert simulation.url.startswith(f"{url}:")
    assert simulation.reason() is None


def test_it_asks_for_a_token(simulate: Simulate) -> None:
    """The token can be changed, and taken away, while it runs."""
    simulation = simulate("--token", "sesame", "--script", "-")
    assert simulation.reason() is Reason.UNAUTHORIZED
    assert isinstance(simulation.check("sesame"), GpuInventory)
    simulation.tell("token other")
    assert isinstance(simulation.check("sesame"), CheckFailure)
    simulation.tell("token")
    assert simulation.reason() is None


def test_an_answer_takes_its_latency(simulate: Simulate) -> None:
    """As lspci on a host with many cards."""
    simulation = simulate("--latency", "0.3", "--script", "-")
    started = time.monotonic()
    simulation.inventory()
    assert time.monotonic() - started >= 0.3
    simulation.tell("latency 60")
    assert simulation.reason() is Reason.TIMED_OUT


@pytest.mark.parametrize("name", ["reset-in-body", "hang-before-headers", "status-500"])
def test_a_fault_is_there_from_the_first_request_on(simulate: Simulate, name: str) -> None:
    """`--fault` takes the names of the table."""
    assert simulate("--fault", name).reason() is FAULTS[name].reason


def test_a_script_that_is_piped_in_is_followed_line_by_line(simulate: Simulate) -> None:
    """A crash, a return, faults and good answers come when they are asked for."""
    simulation = simulate("--script", "-")
    simulation.tell("crash")
    assert simulation.reason() is Reason.CONNECTION_REFUSED
    simulation.tell("crash")
    simulation.tell("revive")
    simulation.tell("revive")
    assert simulation.reason() is None
    simulation.tell("fault closed-in-body")
    assert simulation.reason() is Reason.CONNECTION_CLOSED
    simulation.tell("fault no-gpus")
    assert simulation.inventory().gpus == ()
    simulation.tell("ok")
    simulation.tell("free 5")
    assert simulation.inventory().free_count == 5
    simulation.tell("gpus 4")
    assert simulation.inventory().free_count == 4
    simulation.tell("gpus 9")
    simulation.tell("free all")
    assert simulation.inventory().free_count == 9


def test_a_line_that_cannot_be_followed_is_told_and_the_next_one_comes(simulate: Simulate) -> None:
    """Whoever types, or pipes from a program, sees the fault and goes on."""
    simulation = simulate("--script", "-")
    wrong = ("fault reset", "crush", "free 9", "gpus many", "crash now", "\x1b[2J")
    for line in (*wrong, "", "# a comment"):
        simulation.send(line)
    simulation.tell("gpus 2")
    assert len(simulation.inventory().gpus) == 2
    simulation.send("end")
    code, errors = simulation.wait()
    complaints = errors.splitlines()
    assert code == 0
    assert len(complaints) == len(wrong)
    assert all(line.startswith("dstack-backend: '") for line in complaints)
    assert "perhaps reset-before-headers or" in complaints[0]
    assert errors.replace("\n", "").isprintable()


def test_the_end_of_standard_input_is_not_the_end(simulate: Simulate) -> None:
    """A pipe that is closed leaves the DStack as it was last told to be."""
    simulation = simulate("--script", "-")
    simulation.tell("gpus 3")
    cast("IO[str]", simulation.process.stdin).close()
    assert len(simulation.inventory().gpus) == 3


def test_a_script_in_a_file_is_followed_in_its_time(simulate: Simulate, tmp_path: Path) -> None:
    """`wait` holds the next line back, and `end` ends it all with 0."""
    script = tmp_path / "script"
    script.write_text("# an outage\nwait 0.5\ncrash\n\nwait 0.4\nrevive\nend\n")
    started = time.monotonic()
    simulation = simulate("--script", str(script))
    assert simulation.wait() == (0, "")
    assert time.monotonic() - started > 0.9
    moments = {line.split(" s  ")[1]: float(line.split()[0]) for line in simulation.lines}
    assert list(moments) == ["wait 0.5", "crash", "wait 0.4", "revive", "end"]
    assert moments["crash"] >= 0.5
    assert moments["revive"] - moments["crash"] >= 0.4


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT], ids=["SIGTERM", "SIGINT"])
def test_a_signal_ends_it_with_0_whatever_it_does(simulate: Simulate, how: signal.Signals) -> None:
    """A client that is kept hanging, and a pipe that says nothing, hold nothing up."""
    simulation = simulate("--fault", "hang-in-body", "--script", "-")
    host, port = simulation.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=5) as client:
        client.sendall(b"GET /prpc/ListGpus?json HTTP/1.1\r\n\r\n")
        assert client.recv(100)
        started = time.monotonic()
        assert simulation.end(how) == (0, "")
        assert time.monotonic() - started < LONGEST_STOP


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        (("--free", "9"), "--free: there are 8 GPUs, so 9 cannot be free"),
        (("--fault",), "argument --fault: it needs a value"),
        (("--listen", "here"), "--listen: 'here' is neither host:port"),
        (("--listen", "192.0.2.1:0"), "--listen: cannot assign requested address"),
        (("--listen", "unix:/nowhere/vmm.sock"), "--listen: no such file or directory"),
        (("--listen", f"unix:/{'x' * 200}"), "--listen: AF_UNIX path too long"),
        (("--check-interval", "5"), "no such option: --check-interval"),
    ],
    ids=["free", "fault", "listen", "foreign", "no-folder", "too-long", "not-its-own"],
)
def test_a_bad_option_ends_the_start_with_2_and_one_line(
    options: tuple[str, ...], complaint: str
) -> None:
    """The line names the option and what is wrong with it; there is no traceback."""
    done = run_command("simulate", "--listen", "127.0.0.1:0", *options)
    assert (done.returncode, done.stdout) == (2, "")
    assert complaint in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_an_address_that_is_taken_is_left_to_whoever_has_it(
    simulate: Simulate, tmp_path: Path
) -> None:
    """Neither a port nor a socket is taken away from a DStack that listens there."""
    for listen in (f"127.0.0.1:{free_port()}", f"unix:{tmp_path / 'vmm.sock'}"):
        first = simulate("--listen", listen)
        second = run_command("simulate", "--listen", listen)
        assert second.returncode == 2
        assert "--listen: " in second.stderr
        assert first.reason() is None


def test_the_list_of_faults_has_each_with_its_reason() -> None:
    """Answers that are good, whatever they look like, are listed as available."""
    done = run_command("simulate", "--list-faults")
    listed = dict(line.split() for line in done.stdout.splitlines())
    assert (done.returncode, done.stderr) == (0, "")
    assert listed == {
        **{name: fault.reason.value for name, fault in FAULTS.items()},
        **dict.fromkeys(HOSTILE_ANSWERS, "available"),
    }


def test_a_reader_that_goes_away_after_the_first_line_is_no_error() -> None:
    """`dstack-backend simulate ... | head -1` ends well."""
    command = " ".join(SIMULATE) + " --list-faults | head -1; exit ${PIPESTATUS[0]}"
    done = subprocess.run(
        ["/bin/bash", "-c", command], capture_output=True, timeout=20, check=False
    )
    assert (done.returncode, done.stderr) == (0, b"")


def test_it_works_without_the_extra(tmp_path: Path) -> None:
    """Who installs the service alone can simulate: nothing of pytest and its friends is needed."""
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


def test_the_options_of_the_service_and_of_the_simulation_do_not_mix() -> None:
    """Each command offers its own, and refuses the others'."""
    offered = run_command("simulate", "--help").stdout
    assert "--fault" in offered
    assert not [setting.option for setting in SETTINGS if setting.option in offered]
    assert not [each for each in SETTINGS if each.variable in offered]
    for command in ("serve", "check", "demo", "healthcheck"):
        assert "--fault" not in run_command(command, "--help").stdout
    done = run_command("--check-interval", "5", "simulate")
    assert (done.returncode, len(done.stderr.splitlines())) == (2, 1)
    assert "--check-interval: " in done.stderr


def test_the_service_follows_what_the_script_does(
    simulate: Simulate, serve: Callable[..., Service]
) -> None:
    """The two commands together show an operator each reason."""
    simulation = simulate("--gpus", "2", "--script", "-")
    service = serve(DSTACK_URL=simulation.url, CHECK_INTERVAL="0.2")
    service.wait_for(None)
    simulation.tell("crash")
    service.wait_for("connection_refused")
    simulation.tell("fault status-503")
    simulation.tell("revive")
    service.wait_for("http_error")
    simulation.tell("ok")
    assert service.wait_for(None)["inventory"]["gpu_count"] == 2
