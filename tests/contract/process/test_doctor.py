"""`dstack-backend doctor` against real servers."""

import asyncio
import json
import socket
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from dstack_backend.app.doctor.diagnose import diagnose
from dstack_backend.testing.faults import FAULTS
from dstack_backend.testing.simulated_dstack import Remote, SimulatedDStack, in_thread
from tests.contract.process.service import Service, free_port, run_command

SECRET = "s3cr3t-canary"
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
"""Of each sort some; the adapter's own tests go through all of them."""

UNKNOWN_HOST = "a" * 64
"""Longer than any label of a name may be: no name server is asked."""


def ticket(**env: str) -> Any:
    """What `doctor --json` prints, with the steps by name."""
    done = run_command("doctor", "--json", **{"LISTEN_ADDR": f"127.0.0.1:{free_port()}", **env})
    told = json.loads(done.stdout)
    assert done.returncode == told["exit_code"], done.stderr
    assert SECRET not in done.stdout + done.stderr
    told["steps"] = {step["step"]: step for step in told["steps"]}
    return told


def verdict(told: Any, step: str) -> tuple[str, str | None]:
    """Verdict and reason of a step."""
    return told["steps"][step]["verdict"], told["steps"][step]["reason"]


def test_a_healthy_dstack_is_asked_once_and_nothing_fails(dstack: Remote) -> None:
    """Exit code 0; whoever runs it often does not make DStack run lspci more than once each."""
    done = run_command("doctor", LISTEN_ADDR=f"127.0.0.1:{free_port()}", DSTACK_URL=f"{dstack.url}")
    assert (done.returncode, done.stderr) == (0, ""), done.stdout
    assert "8 x H200 SXM 141GB" in done.stdout
    assert "\x1b" not in done.stdout
    assert dstack.dstack.calls == 1


def test_a_bad_setting_is_the_first_steps_failure() -> None:
    """Exit code 2 as with every command; all else is skipped."""
    told = ticket(DSTACK_URL=f"http://user:{SECRET}@host:port")
    assert (told["exit_code"], told["dstack"]) == (2, None)
    assert verdict(told, "settings") == ("failed", None)
    rest = [step["verdict"] for name, step in told["steps"].items() if name != "settings"]
    assert set(rest) == {"skipped"}


def test_a_key_file_that_the_start_would_refuse_is_a_bad_setting_and_none_is_made(
    tmp_path: Path,
) -> None:
    """The doctor reads, and leaves everything as it is."""
    file = tmp_path / "key"
    assert verdict(ticket(NOSTR_KEY_FILE=str(file)), "settings")[0] == "failed"
    told = ticket(NOSTR_KEY_FILE=str(file), NOSTR_KEY_CREATE="1", DSTACK_URL="http://127.0.0.1:1")
    assert verdict(told, "settings")[0] == "ok"
    assert not file.exists()


@pytest.mark.parametrize(
    ("path", "fault"),
    [
        ("no/key", "cannot be made (no such file or directory)"),
        ("x" * 300, "cannot be made (file name too long)"),
        ("link", "cannot be read (no such file or directory)"),
        ("file/key", "cannot be made (not a directory)"),
    ],
)
def test_a_key_that_the_start_could_not_make_is_a_bad_setting(
    path: str, fault: str, tmp_path: Path
) -> None:
    """With the words of the start, and without an error of ours."""
    (tmp_path / "file").touch()
    (tmp_path / "link").symlink_to("nowhere")
    env = {"NOSTR_KEY_FILE": str(tmp_path / path), "NOSTR_KEY_CREATE": "1"}
    settings = asyncio.run(diagnose(env, {})).findings[0]
    assert settings.verdict == "failed"
    assert settings.text == f"NOSTR_KEY_FILE (--nostr-key-file): {fault}"
    assert fault in run_command(LISTEN_ADDR=f"127.0.0.1:{free_port()}", **env).stderr


def test_where_nothing_listens_the_connection_fails() -> None:
    """Exit code 1; the steps after it are skipped, and those about ourselves are not."""
    told = ticket(DSTACK_URL=f"http://127.0.0.1:{free_port()}")
    assert told["exit_code"] == 1
    assert verdict(told, "connection") == ("failed", "connection_refused")
    assert verdict(told, "http")[0] == "skipped"
    assert verdict(told, "listen")[0] == "ok"


def test_a_name_without_an_address_fails_the_look_up() -> None:
    """Nothing is connected to."""
    told = ticket(DSTACK_URL=f"http://{UNKNOWN_HOST}:19060")
    assert verdict(told, "name") == ("failed", "host_not_found")
    assert verdict(told, "connection")[0] == "skipped"


def test_a_wrong_token_fails_auth_and_is_not_shown(dstack: Remote, tmp_path: Path) -> None:
    """Neither is a right one."""
    dstack.dstack.token = f"{SECRET}-right"
    told = ticket(DSTACK_URL=dstack.url, DSTACK_TOKEN=SECRET)
    assert verdict(told, "auth") == ("failed", "unauthorized")
    assert verdict(told, "http")[0] == "ok"
    file = tmp_path / "token"
    file.write_text(f"{SECRET}-right")
    assert ticket(DSTACK_URL=dstack.url, DSTACK_TOKEN_FILE=str(file))["exit_code"] == 0


def test_user_and_password_of_the_address_are_not_shown(dstack: Remote) -> None:
    """The address is, without them."""
    dstack.dstack.login = (f"{SECRET}-user", SECRET)
    told = ticket(DSTACK_URL=dstack.url.replace("//", f"//{SECRET}-user:{SECRET}@"))
    assert (told["exit_code"], told["dstack"]) == (0, dstack.url)


def test_a_missing_socket_and_a_dead_one_are_told_apart(tmp_path: Path) -> None:
    """The file fails, or the connection does."""
    path = tmp_path / "vmm.sock"
    assert verdict(ticket(DSTACK_URL=f"unix:{path}"), "socket") == ("failed", "socket_not_found")
    with in_thread(SimulatedDStack(), socket=path) as remote:
        assert ticket(DSTACK_URL=remote.url)["exit_code"] == 0
        remote.crash()
        told = ticket(DSTACK_URL=remote.url)
    assert verdict(told, "socket")[0] == "ok"
    assert verdict(told, "connection") == ("failed", "connection_refused")


@pytest.mark.parametrize(("scheme", "step"), [("http", "http"), ("https", "tls")])
def test_a_server_that_says_nothing_does_not_hold_it_up(scheme: str, step: str) -> None:
    """Every step has its deadline."""
    with closing(socket.create_server(("127.0.0.1", 0))) as silent:
        started = time.monotonic()
        told = ticket(
            DSTACK_URL=f"{scheme}://127.0.0.1:{silent.getsockname()[1]}", CHECK_TIMEOUT="0.5"
        )
    assert verdict(told, step) == ("failed", "timed_out")
    assert time.monotonic() - started < 10


def test_another_programs_port_is_told_with_the_program(dstack: Remote) -> None:
    """Here it is this very process."""
    with closing(socket.create_server(("127.0.0.1", 0))) as other:
        other.listen()
        told = ticket(
            DSTACK_URL=dstack.url,
            CHECK_TIMEOUT="1",
            LISTEN_ADDR=f"127.0.0.1:{other.getsockname()[1]}",
        )
    assert verdict(told, "listen") == ("failed", None)
    assert "(pid " in told["steps"]["listen"]["text"]


def test_our_own_service_on_the_port_is_well(serve: Callable[..., Service], dstack: Remote) -> None:
    """Its status is told."""
    service = serve(DSTACK_URL=dstack.url)
    service.wait_for(None)
    told = ticket(DSTACK_URL=dstack.url, LISTEN_ADDR=service.netloc)
    assert verdict(told, "listen")[0] == "ok"
    assert told["steps"]["listen"]["text"].endswith("available")


def test_a_service_on_loopback_alone_is_not_told_to_workers_elsewhere(
    serve: Callable[..., Service], dstack: Remote
) -> None:
    """The service's own LISTEN_ADDR is what counts, not the one that the doctor was given."""
    service = serve(DSTACK_URL=dstack.url)
    told = ticket(DSTACK_URL=dstack.url, LISTEN_ADDR=f"0.0.0.0:{service.port}")
    assert verdict(told, "listen")[0] == "warning"
    assert f"runs on {service.netloc}, not on 0.0.0.0" in told["steps"]["listen"]["text"]
    assert "on this host only" in told["steps"]["worker"]["text"]


@pytest.mark.parametrize("name", SOME_FAULTS)
def test_whatever_dstack_does_one_step_fails_with_its_reason(dstack: Remote, name: str) -> None:
    """The texts hold nothing that DStack sent; it is asked once."""
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


def test_an_answer_that_is_no_http_is_not_blamed_on_json(dstack: Remote) -> None:
    """The port may speak TLS, or be another program's."""
    dstack.dstack.behaviour = FAULTS["smtp"].behaviour
    assert verdict(ticket(DSTACK_URL=dstack.url), "http") == ("failed", "invalid_response")
