"""`dstack-backend doctor` against real servers."""

import asyncio
import json
import socket
import time
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest

from dstack_backend.adapters.httpx_dstack import HttpxDStack, parse_address
from dstack_backend.adapters.sqlite_history import SqliteHistory
from dstack_backend.app.doctor.diagnose import diagnose
from dstack_backend.app.doctor.finding import Step
from dstack_backend.domain.check import CheckFailure
from dstack_backend.domain.gpu import Gpu, StoredGpus, TrackedGpu
from dstack_backend.domain.history import GpuUpdate
from dstack_backend.testing.faults import FAULTS
from dstack_backend.testing.simulated_dstack import Remote, SimulatedDStack, in_thread
from tests.contract.process.doctor.report import SECRET, result, run_doctor
from tests.contract.process.service import Service, free_port, run_command, wait_until

SOME_FAULTS = (
    "reset-in-body",
    "ssh",
    "hang-in-body",
    "http-2",
    "tls-alert",
    "header-without-colon",
    "compressed-gzip",
    "endless-big-chunks",
    "status-301",
    "status-400",
    "status-401",
    "status-403",
    "status-599",
    "json-html",
    "json-gpu-string",
    "json-nested-arrays",
)
"""Some of each kind; the adapter's own tests use all of them."""

UNKNOWN_HOST = "a" * 64
"""Longer than a label of a name may be: no name server is asked."""


def test_doctor_calls_a_working_dstack_once(dstack: Remote) -> None:
    """Exit code 0; each call makes DStack run lspci."""
    done = run_command("doctor", LISTEN_ADDR=f"127.0.0.1:{free_port()}", DSTACK_URL=f"{dstack.url}")
    assert (done.returncode, done.stderr) == (0, ""), done.stdout
    assert "8 x H200 SXM 141GB" in done.stdout
    assert "\x1b" not in done.stdout
    assert dstack.dstack.calls == 1


def test_gpu_that_the_history_knows_is_missing(dstack: Remote, tmp_path: Path) -> None:
    """Later steps are tried; with fewer GPUs than required the step fails."""
    gone = Gpu(slot="86:00.0", product_id="10de:2335", description="", is_free=True)
    now = datetime.now(UTC)
    store = SqliteHistory(tmp_path)
    store.append([], now, None, gpus=GpuUpdate(state=StoredGpus((TrackedGpu(gone, now),))))
    store.close()
    env = {"DSTACK_URL": dstack.url, "DATA_DIR": str(tmp_path), "HISTORY": "on"}
    report = run_doctor(**env)
    assert result(report, "inventory") == ("warning", None)
    step = report["steps"]["inventory"]
    assert "1 GPU is missing: H200 SXM 141GB in 86:00.0 (last seen " in step["text"]
    assert "on the host: lspci -s 86:00.0" in step["remedies"]
    report = run_doctor(**env, MIN_GPUS="9")
    assert report["exit_code"] == 1
    assert result(report, "inventory") == ("failed", "too_few_gpus")
    assert result(report, "version") == ("ok", None)
    assert "GPU is missing" not in json.dumps(run_doctor(**{**env, "HISTORY": "off"}))


def test_connection_fails_where_nothing_listens() -> None:
    """Exit code 1; later steps on the way to DStack are skipped, those of the service are not."""
    report = run_doctor(DSTACK_URL=f"http://127.0.0.1:{free_port()}")
    assert report["exit_code"] == 1
    assert result(report, "connection") == ("failed", "connection_refused")
    assert result(report, "http")[0] == "skipped"
    assert result(report, "listen")[0] == "ok"


def test_name_without_an_address_fails_the_look_up() -> None:
    """No connection is tried."""
    report = run_doctor(DSTACK_URL=f"http://{UNKNOWN_HOST}:19060")
    assert result(report, "name") == ("failed", "host_not_found")
    assert result(report, "connection")[0] == "skipped"


def test_wrong_token_fails_auth_and_is_not_shown(dstack: Remote, tmp_path: Path) -> None:
    """A right one is not shown either."""
    dstack.dstack.token = f"{SECRET}-right"
    report = run_doctor(DSTACK_URL=dstack.url, DSTACK_TOKEN=SECRET)
    assert result(report, "auth") == ("failed", "unauthorized")
    assert result(report, "http")[0] == "ok"
    file = tmp_path / "token"
    file.write_text(f"{SECRET}-right")
    assert run_doctor(DSTACK_URL=dstack.url, DSTACK_TOKEN_FILE=str(file))["exit_code"] == 0


def test_user_and_password_are_removed_from_the_address(dstack: Remote) -> None:
    """The rest of the address is shown."""
    dstack.dstack.login = (f"{SECRET}-user", SECRET)
    report = run_doctor(DSTACK_URL=dstack.url.replace("//", f"//{SECRET}-user:{SECRET}@"))
    assert (report["exit_code"], report["dstack"]) == (0, dstack.url)


def test_missing_socket_and_dead_socket_fail_different_steps(tmp_path: Path) -> None:
    """The file is missing, or nothing accepts the connection."""
    path = tmp_path / "vmm.sock"
    missing = run_doctor(DSTACK_URL=f"unix:{path}")
    assert result(missing, "socket") == ("failed", "socket_not_found")
    assert result(missing, "connection")[0] == "skipped"
    with in_thread(SimulatedDStack(), socket=path) as remote:
        assert run_doctor(DSTACK_URL=remote.url)["exit_code"] == 0
        remote.crash()
        dead = run_doctor(DSTACK_URL=remote.url)
    assert result(dead, "socket")[0] == "ok"
    assert result(dead, "connection") == ("failed", "connection_refused")


@pytest.mark.parametrize("path", ["no/vmm.sock", "file", "file/vmm.sock", "loop", "folder"])
def test_socket_fails_with_the_reason_of_a_check(path: str, tmp_path: Path) -> None:
    """The doctor connects as a check does, and does not predict from the file."""
    (tmp_path / "file").touch()
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "folder").mkdir()
    url = f"unix:{tmp_path / path}"
    check = asyncio.run(HttpxDStack(parse_address(url), timeout=5).list_gpus())
    env = {"DSTACK_URL": url, "HISTORY": "off", "LISTEN_ADDR": f"127.0.0.1:{free_port()}"}
    found = {each.step: each for each in asyncio.run(diagnose(env, {})).findings}
    assert isinstance(check, CheckFailure)
    assert found[Step.SOCKET].verdict == "failed"
    assert found[Step.SOCKET].reason is check.reason


@pytest.mark.parametrize(("scheme", "step"), [("http", "http"), ("https", "tls")])
def test_silent_server_fails_a_step_in_time(scheme: str, step: str) -> None:
    """Every step has a timeout."""
    with closing(socket.create_server(("127.0.0.1", 0))) as silent:
        started = time.monotonic()
        report = run_doctor(
            DSTACK_URL=f"{scheme}://127.0.0.1:{silent.getsockname()[1]}", CHECK_TIMEOUT="0.5"
        )
    assert result(report, step) == ("failed", "timed_out")
    assert time.monotonic() - started < 10


def test_program_on_the_port_is_named(dstack: Remote) -> None:
    """Here it is this process."""
    with closing(socket.create_server(("127.0.0.1", 0))) as other:
        other.listen()
        report = run_doctor(
            DSTACK_URL=dstack.url,
            CHECK_TIMEOUT="1",
            LISTEN_ADDR=f"127.0.0.1:{other.getsockname()[1]}",
        )
    assert result(report, "listen") == ("failed", None)
    assert "(pid " in report["steps"]["listen"]["text"]


def test_running_service_on_the_port_is_ok(
    serve: Callable[..., Service], dstack: Remote, tmp_path: Path
) -> None:
    """Its status is shown, and that it has locked its history is right."""
    service = serve(DSTACK_URL=dstack.url, HISTORY="on", DATA_DIR=str(tmp_path))
    service.wait_for(None)
    wait_until((tmp_path / "history.lock").exists)
    report = run_doctor(
        DSTACK_URL=dstack.url, LISTEN_ADDR=service.netloc, HISTORY="on", DATA_DIR=str(tmp_path)
    )
    assert result(report, "listen")[0] == "ok"
    assert report["steps"]["listen"]["text"].endswith("available")
    assert result(report, "history")[0] == "ok"


def test_worker_address_is_that_of_the_running_service(
    serve: Callable[..., Service], dstack: Remote
) -> None:
    """The LISTEN_ADDR of the service counts, not that of the doctor."""
    service = serve(DSTACK_URL=dstack.url)
    report = run_doctor(DSTACK_URL=dstack.url, LISTEN_ADDR=f"0.0.0.0:{service.port}")
    assert result(report, "listen")[0] == "warning"
    assert f"runs on {service.netloc}, not on 0.0.0.0" in report["steps"]["listen"]["text"]
    assert "on this host only" in report["steps"]["worker"]["text"]


@pytest.mark.parametrize("name", SOME_FAULTS)
def test_fault_of_dstack_fails_one_step_with_its_reason(dstack: Remote, name: str) -> None:
    """The texts contain nothing that DStack sent; it is called once."""
    dstack.dstack.behaviour = FAULTS[name].behaviour
    env = {
        "DSTACK_URL": dstack.url,
        "CHECK_TIMEOUT": "1",
        "LISTEN_ADDR": f"127.0.0.1:{free_port()}",
    }
    found = asyncio.run(diagnose(env, {}))
    bad = [each for each in found.findings if each.verdict == "failed"]
    assert [each.reason for each in bad] == [FAULTS[name].reason]
    assert found.exit_code == 1
    assert "canary" not in repr(found)
    assert dstack.dstack.calls == 1


def test_response_that_is_not_http_fails_the_http_step(dstack: Remote) -> None:
    """The port may speak TLS, or belong to another program."""
    dstack.dstack.behaviour = FAULTS["smtp"].behaviour
    assert result(run_doctor(DSTACK_URL=dstack.url), "http") == ("failed", "invalid_response")
