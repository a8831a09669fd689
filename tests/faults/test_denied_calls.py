"""System calls that the kernel, a container runtime or a file system denies.

The service and the doctor run with a seccomp filter.
"""

import errno
import json
import os
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from dstack_backend.adapters.sqlite_history import SqliteHistory, read_history
from dstack_backend.testing.simulated_dstack import Remote, SimulatedDStack, in_thread
from tests.contract.process.service import Service, free_port, run_command, wait_until
from tests.faults.support.seccomp import LOCK_COMMANDS, Denial, can_deny, deny

pytestmark = pytest.mark.skipif(not can_deny(), reason="needs seccomp filters")

NO_LOCKS = {
    "no locks available": Denial("flock", errno.ENOLCK),
    "operation not supported": Denial("flock", errno.EOPNOTSUPP),
    "database is locked": Denial("fcntl", errno.EAGAIN, 1, LOCK_COMMANDS),
    "another dstack-backend writes there": Denial("flock", errno.EAGAIN),
}
"""What network file systems return, by the text of the error."""

NO_ACCESS = [
    [Denial(call, error) for call in ("faccessat2", "faccessat", "access")]
    for error in (errno.EPERM, errno.ENOSYS)
]


def run_doctor(denials: Sequence[Denial], **env: str) -> Any:
    """Run `doctor --json` with these denials, and return its steps by name."""
    given = {"LISTEN_ADDR": f"127.0.0.1:{free_port()}", **env}
    done = deny(denials, lambda: run_command("doctor", "--json", **given))
    report = json.loads(done.stdout)
    assert done.returncode == report["exit_code"], done.stderr
    return {step["step"]: step for step in report["steps"]}


@pytest.mark.parametrize("fault", NO_LOCKS)
def test_doctor_reports_the_lock_error_that_the_service_meets(
    serve: Callable[..., Service], dstack: Remote, tmp_path: Path, fault: str
) -> None:
    """The service works and keeps its history in memory, as the doctor says."""
    data = tmp_path / "data"
    env = {"DSTACK_URL": dstack.url, "HISTORY": "on", "DATA_DIR": str(data)}
    denials = [NO_LOCKS[fault]]
    before = run_doctor(denials, **env)["history"]
    assert not data.exists()
    service = deny(denials, lambda: serve(**env))
    service.wait_for(None)
    wait_until(lambda: f"DATA_DIR cannot be used ({fault})" in service.log)
    assert len(service.ask("/history").json()["entries"]) == 1
    after = run_doctor(denials, **env)["history"]
    for step, folder in ((before, tmp_path), (after, data)):
        assert step["verdict"] == "warning"
        assert f"{data} cannot be used: {fault}; the history is kept in memory" in step["text"]
        assert step["remedies"][0].startswith(f"{folder} must be a folder of a local disk")


@pytest.mark.parametrize("fault", ["no locks available", "database is locked"])
def test_doctor_reports_the_lock_error_of_an_existing_history(
    serve: Callable[..., Service], dstack: Remote, tmp_path: Path, fault: str
) -> None:
    """The file was written on a disk with locks. It is not called corrupt."""
    SqliteHistory(tmp_path / "data").close()
    env = {"DSTACK_URL": dstack.url, "HISTORY": "on", "DATA_DIR": str(tmp_path / "data")}
    step = run_doctor([NO_LOCKS[fault]], **env)["history"]
    assert f"cannot be used: {fault}; " in step["text"]
    assert "folder of a local disk" in step["remedies"][0]
    service = deny([NO_LOCKS[fault]], lambda: serve(**env))
    service.wait_for(None)
    wait_until(lambda: f"DATA_DIR cannot be used ({fault})" in service.log)


@pytest.mark.parametrize("denials", NO_ACCESS)
def test_denied_access_call_changes_no_verdict(
    serve: Callable[..., Service], tmp_path: Path, denials: Sequence[Denial]
) -> None:
    """Old container runtimes deny faccessat2: nothing may depend on it."""
    data, path = tmp_path / "data", tmp_path / "vmm.sock"
    with in_thread(SimulatedDStack(), socket=path) as remote:
        env = {"DSTACK_URL": remote.url, "HISTORY": "on", "DATA_DIR": str(data)}
        checked = deny(denials, lambda: run_command("check", DSTACK_URL=remote.url))
        assert checked.returncode == 0, checked.stderr
        steps = run_doctor(denials, **env)
        deny(denials, lambda: serve(**env)).wait_for(None)
        running = run_doctor(denials, **env)
    bad = {name: step for name, step in steps.items() if step["verdict"] != "ok"}
    assert set(bad) == {"worker"}, "LISTEN_ADDR is on loopback"
    assert running["history"]["text"].startswith("another dstack-backend writes")
    printed = deny(denials, lambda: run_command("history", HISTORY="on", DATA_DIR=str(data)))
    assert (printed.returncode, "8 GPUs" in printed.stdout) == (0, True), printed.stderr


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to become another user")
@pytest.mark.parametrize("denials", NO_ACCESS)
def test_history_of_another_user_is_readable_without_access_calls(
    denials: Sequence[Denial],
) -> None:
    """Neither the folder nor the file can be written."""
    with tempfile.TemporaryDirectory() as folder:
        SqliteHistory(Path(folder)).close()
        Path(folder).chmod(0o555)
        os.seteuid(65534)
        try:
            stored = deny(denials, lambda: read_history(Path(folder)))
        finally:
            os.seteuid(0)
    assert stored.entries == ()


def test_doctor_reports_a_key_file_that_cannot_be_linked(tmp_path: Path) -> None:
    """Some file systems have no hard links. The start fails with the same text."""
    env = {"NOSTR_KEY_FILE": str(tmp_path / "key"), "NOSTR_KEY_CREATE": "1"}
    denials = [Denial(call, errno.EPERM) for call in ("link", "linkat")]
    found = run_doctor(denials, DSTACK_URL="http://127.0.0.1:1", **env)["settings"]
    started = deny(denials, lambda: run_command(LISTEN_ADDR=f"127.0.0.1:{free_port()}", **env))
    fault = "NOSTR_KEY_FILE (--nostr-key-file): cannot be made (operation not permitted)"
    assert (found["verdict"], found["text"]) == ("failed", fault)
    assert (started.returncode, fault in started.stderr) == (2, True)
    assert list(tmp_path.iterdir()) == []
