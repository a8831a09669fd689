"""`dstack-backend gpus` as a process: beside the running service, after it, and without one."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from dstack_backend.adapters.sqlite_history import SqliteHistory
from dstack_backend.domain import Gpu
from dstack_backend.testing.fakes import EPOCH
from dstack_backend.testing.simulated_dstack import EIGHT_H200, Remote
from tests.contract.process.service import Service, run_command, wait_until


def report(env: dict[str, str]) -> Any:
    """Return the report of `gpus --json`."""
    done = run_command("gpus", "--json", **env)
    assert done.stderr == ""
    found = json.loads(done.stdout)
    assert done.returncode == int(found["degraded"])
    return found


def test_lost_gpu_is_missing_until_it_is_forgotten(
    serve: Callable[..., Service], dstack: Remote, tmp_path: Path
) -> None:
    """The running service applies the request; text, JSON and exit code agree."""
    env = {"DATA_DIR": str(tmp_path / "data"), "HISTORY": "on"}
    service = serve(DSTACK_URL=dstack.url, CHECK_INTERVAL="0.5", **env)
    wait_until(lambda: run_command("gpus", **env).returncode == 0)
    done = run_command("gpus", **env)
    assert done.stdout.startswith("8 GPUs, 5 free\n\nslot ")
    assert "the data are current" in done.stdout
    dstack.dstack.gpus = EIGHT_H200[1:]
    wait_until(lambda: report(env)["missing"])
    found = report(env)
    assert [each["slot"] for each in found["missing"]] == ["19:00.0"]
    assert found["missing"] == service.status()["missing"]
    done = run_command("gpus", **env)
    assert done.returncode == 1
    assert done.stdout.startswith("7 GPUs, 5 free, 1 missing\n\nmissing ")
    done = run_command("gpus", "--forget", "0000:19:00.0", **env)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(
        "forgotten: H200 SXM 141GB in 19:00.0; the running service applies this within 10 s\n"
    )
    assert "1 missing" not in done.stdout
    assert report(env)["missing"] == []
    wait_until(lambda: service.status()["missing"] == [], 15)
    assert service.end()[0] == 0
    assert report(env)["alive_at"]


def test_slot_that_is_not_missing_is_one_line_and_exit_code_2(
    serve: Callable[..., Service], dstack: Remote, tmp_path: Path
) -> None:
    """A GPU that is listed cannot be forgotten. An empty slot is a value as well."""
    env = {"DATA_DIR": str(tmp_path / "data"), "HISTORY": "on"}
    serve(DSTACK_URL=dstack.url, **env)
    wait_until(lambda: run_command("gpus", **env).returncode == 0)
    for slot in ("19:00.0", "", "\x1b[2J", "x" * 5000):
        done = run_command("gpus", "--forget", slot, **env)
        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr == "dstack-backend: --forget: no GPU is missing\n"


def test_texts_of_a_hostile_dstack_are_printable(
    serve: Callable[..., Service], dstack: Remote, tmp_path: Path
) -> None:
    """In the tables of both commands and in JSON, also of a GPU that is missing."""
    env = {"DATA_DIR": str(tmp_path / "data"), "HISTORY": "on"}
    evil = "\x9b31m\x1b[2J\u202e\r\n[X]"
    gpu = Gpu(slot=evil + "a" * 5000, product_id=evil * 900, description=evil, is_free=True)
    dstack.dstack.gpus = [gpu, *EIGHT_H200]
    serve(DSTACK_URL=dstack.url, CHECK_INTERVAL="0.5", **env)
    wait_until(lambda: run_command("gpus", **env).returncode == 0)
    first = run_command("gpus", **env).stdout
    dstack.dstack.gpus = EIGHT_H200
    wait_until(lambda: report(env)["missing"])
    outputs = [run_command(*each, **env).stdout for each in (["gpus"], ["history"])]
    for text in (first, *outputs, run_command("gpus", "--json", **env).stdout):
        assert text
        assert all(line.isprintable() for line in text.split("\n"))
    slot = report(env)["missing"][0]["slot"]
    assert run_command("gpus", "--forget", slot, **env).returncode == 0
    assert report(env)["missing"] == []


def test_history_without_gpus_is_one_line_and_exit_code_1(tmp_path: Path) -> None:
    """No file, no history on disk, a file without any check."""
    store = SqliteHistory(tmp_path)
    store.append([], EPOCH, None)
    store.close()
    for env, fault in (
        ({"DATA_DIR": str(tmp_path / "nowhere"), "HISTORY": "on"}, "no such file"),
        ({"HISTORY": "off"}, "HISTORY=off"),
        ({"DATA_DIR": str(tmp_path), "HISTORY": "on"}, "no GPUs are known"),
    ):
        for options in ([], ["--json"]):
            done = run_command("gpus", *options, **env)
            assert (done.returncode, done.stdout) == (1, "")
            assert done.stderr.count("\n") == 1
            assert fault in done.stderr
