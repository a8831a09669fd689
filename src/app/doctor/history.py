"""The history: whether its folder can be written to, its file read, and the disk has room."""

import asyncio
import os
import shutil
from pathlib import Path

from msgspec import Struct

from dstack_backend.adapters.sqlite_history import FILE, read_history
from dstack_backend.app.doctor.environment import RuntimeEnvironment
from dstack_backend.app.doctor.finding import Finding, Step, ok, warning
from dstack_backend.app.doctor.socket_file import ProcessUser, process_user
from dstack_backend.domain.history import HistoryError

__all__ = ["HistoryFolder", "check_history", "examine_history", "look_at_history"]

LEAST_ROOM = 50_000_000
"""Bytes: the file, its write-ahead log, and as much again for one that is set aside."""

MB = 1_000_000


class HistoryFolder(Struct, frozen=True, kw_only=True):
    """What is at `DATA_DIR`.

    Attributes:
        path: The folder.
        met: The folder, or what there is of its path.
        is_folder: It is no file.
        is_open: We may make files in it, and write to the one that is there.
        room: Bytes that are free there.
        size: Bytes of the file; `None` where there is none.
        fault: Why the file cannot be read; `None` where it can, or where there is none.
    """

    path: Path
    met: Path
    is_folder: bool = True
    is_open: bool = True
    room: int = LEAST_ROOM
    size: int | None = None
    fault: str | None = None


async def examine_history(
    path: Path | None, environment: RuntimeEnvironment, timeout: float
) -> Finding:
    """Look at the folder, as long as its disk answers."""
    if path is None:
        return ok(Step.HISTORY, "HISTORY=off: the past is kept in memory only")
    try:
        async with asyncio.timeout(timeout):
            folder = await asyncio.to_thread(look_at_history, path)
    except TimeoutError:
        text = f"the disk of {path} does not answer: the past is kept in memory meanwhile"
        return warning(Step.HISTORY, text, "name a folder of another disk: DATA_DIR")
    return check_history(folder, process_user(), environment)


def look_at_history(path: Path) -> HistoryFolder:
    """Look at the folder. Nothing is made and nothing is written."""
    path = path.absolute()
    met = next(part for part in (path, *path.parents) if _is_there(part))
    file = path / FILE
    size = file.stat().st_size if _is_there(file) else None
    return HistoryFolder(
        path=path,
        met=met,
        is_folder=met.is_dir(),
        is_open=_may_write(met, os.W_OK | os.X_OK) and (size is None or _may_write(file, os.W_OK)),
        room=shutil.disk_usage(met).free,
        size=size,
        fault=None if size is None else _fault(path),
    )


def _is_there(path: Path) -> bool:
    try:
        path.stat()
    except OSError:  # missing, or closed to us
        return False
    return True


def _may_write(path: Path, rights: int) -> bool:
    return os.access(path, rights, effective_ids=os.access in os.supports_effective_ids)


def _fault(folder: Path) -> str | None:
    try:
        read_history(folder)
    except HistoryError as exc:
        return str(exc)
    return None


def check_history(
    folder: HistoryFolder, user: ProcessUser, environment: RuntimeEnvironment
) -> Finding:
    """Say whether the past will be kept. Without it the service serves all the same: no failure.

    Args:
        folder: What is at `DATA_DIR`.
        us: Whom the kernel takes us for.
        place: Where we run.
    """
    if not folder.is_folder:
        text = f"{folder.met} is no folder: the past is kept in memory only"
        return warning(Step.HISTORY, text, "name a folder in DATA_DIR, or set HISTORY=off")
    if not folder.is_open:
        text = f"we ({user}) may not write in {folder.met}: the past is kept in memory only"
        return warning(Step.HISTORY, text, *_let_in(folder.met, user, environment))
    if folder.fault:
        text = f"{folder.path / FILE} cannot be read: {folder.fault}"
        cure = "the service sets a corrupt file aside by itself; move away any other that it names"
        return warning(Step.HISTORY, text, cure)
    room = f"{folder.room // MB} MB free"
    if folder.room < LEAST_ROOM:
        text = f"{folder.met}: only {room}; with a full disk the past is kept in memory only"
        return warning(Step.HISTORY, text, "make room, or name a folder of another disk: DATA_DIR")
    if folder.size is None:
        return ok(Step.HISTORY, f"{folder.path}: the file will be made; {room}")
    return ok(Step.HISTORY, f"{folder.path / FILE}: {folder.size / MB:.1f} MB; {room}")


def _let_in(folder: Path, user: ProcessUser, environment: RuntimeEnvironment) -> tuple[str, ...]:
    other = "or name a folder that we may write in: DATA_DIR; or set HISTORY=off"
    if environment.container:
        mount = "mount a volume there, as in -v dstack-history:/data; for a folder of the host,"
        return (f"{mount} chown {user.uid} it", other)
    return (f"setfacl -m u:{user.uid}:rwx {folder}", other)
