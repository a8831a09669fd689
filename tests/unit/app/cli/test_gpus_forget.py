"""The option `--forget` of the command `gpus`, on a real file."""

from pathlib import Path

import pytest

from dstack_backend.adapters.sqlite_history import SqliteHistory, read_history
from dstack_backend.app.cli.commands.stored import forget_gpus
from dstack_backend.app.errors import UserError
from dstack_backend.domain.gpu import Gpu, MissingGpu, StoredGpus
from dstack_backend.domain.history import GpuUpdate
from tests.unit.history_entries import at, up


def write(folder: Path, *slots: str) -> None:
    """Write a history in which the GPUs of these slots are missing."""
    missing = tuple(
        MissingGpu(Gpu(slot=slot, product_id="10de:2335", description="", is_free=True), at(0))
        for slot in slots
    )
    store = SqliteHistory(folder)
    store.append([up(0, 1)], at(100), None, gpus=GpuUpdate(state=StoredGpus((), missing)))
    store.close()


def forget(folder: Path, slot: str, second: float = 105) -> str:
    """Run it so many seconds after the epoch, and return the line."""
    stored, line = forget_gpus(folder, read_history(folder), slot, at(second))
    assert stored.forget_requests == read_history(folder).forget_requests
    return line


@pytest.mark.parametrize(
    ("missing", "given"),
    [
        ("3b:00.0", "3b:00.0"),
        ("3b:00.0", "0000:3b:00.0"),
        ("0000:3b:00.0", "3B:00.0"),
        ("0001:3b:00.0", "0001:3b:00.0"),
        ("", ""),
        ("\x1b", "\x1b"),
    ],
)
def test_request_has_the_slot_as_it_is_stored(tmp_path: Path, missing: str, given: str) -> None:
    """It may be given with or without the PCI domain. A card without a slot has an empty one."""
    write(tmp_path, missing, "5e:00.0")
    assert forget(tmp_path, given).startswith("forgotten: H200 SXM 141GB in ")
    assert read_history(tmp_path).forget_requests == (missing,)


def test_exact_slot_comes_first(tmp_path: Path) -> None:
    """Where both forms are missing, each is forgotten by its own."""
    write(tmp_path, "3b:00.0", "0000:3b:00.0")
    forget(tmp_path, "0000:3b:00.0")
    assert read_history(tmp_path).forget_requests == ("0000:3b:00.0",)


def test_line_says_when_the_service_applies_it(tmp_path: Path) -> None:
    """A service that runs does within seconds."""
    write(tmp_path, "3b:00.0", "5e:00.0")
    running = forget(tmp_path, "3b:00.0")
    assert running == (
        "forgotten: H200 SXM 141GB in 3b:00.0; the running service applies this within 10 s"
    )
    assert forget(tmp_path, "5e:00.0", second=5000).endswith("applies this at its next start")


@pytest.mark.parametrize("slot", ["99:00.0", "0001:3b:00.0", "", "3b", "\x1b" * 5000])
def test_slot_that_is_not_missing_is_refused_with_those_that_are(tmp_path: Path, slot: str) -> None:
    """Nothing is written, and what was given is not repeated."""
    write(tmp_path, "3b:00.0", *(f"a{number}:00.0" for number in range(9)))
    with pytest.raises(UserError) as raised:
        forget(tmp_path, slot)
    text = str(raised.value)
    assert raised.value.exit_code == 2
    assert "missing: H200 SXM 141GB in 3b:00.0, " in text
    assert text.endswith(", 2 more")
    assert "\x1b" not in text
    assert read_history(tmp_path).forget_requests == ()


def test_forgotten_gpu_is_no_longer_missing(tmp_path: Path) -> None:
    """Also before the service has applied the first request."""
    write(tmp_path, "3b:00.0")
    forget(tmp_path, "3b:00.0")
    with pytest.raises(UserError, match="no GPU is missing"):
        forget(tmp_path, "3b:00.0")


def test_file_that_cannot_be_written_is_one_line_with_a_way_out(tmp_path: Path) -> None:
    """It is gone since it was read; a file of another user is the same."""
    write(tmp_path, "3b:00.0")
    stored = read_history(tmp_path)
    with pytest.raises(UserError, match="as the user of the service") as raised:
        forget_gpus(tmp_path / "other", stored, "3b:00.0", at(105))
    assert raised.value.exit_code == 1
    assert len(str(raised.value).splitlines()) == 1
