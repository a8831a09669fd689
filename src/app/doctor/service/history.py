"""The check of the history: whether the service can save it."""

import asyncio
import os
import re
import shutil
import sqlite3
from contextlib import suppress
from pathlib import Path

from msgspec import Struct

from dstack_backend.adapters.sqlite_history import FILE, read_history
from dstack_backend.adapters.sqlite_history.errors import is_transient
from dstack_backend.adapters.sqlite_history.probe import try_history
from dstack_backend.app.doctor.environment import RuntimeEnvironment
from dstack_backend.app.doctor.finding import Finding, Step
from dstack_backend.domain.history import HistoryError, StoredHistory

__all__ = ["HistoryProbe", "check_history", "probe_history", "read_stored"]

MB = 1_000_000
MIN_FREE = 50 * MB
"""The file, its write-ahead log, and as much again for a corrupt file that is quarantined."""

_NETWORK = re.compile(r"nfs\d?|cifs|smb\d?|9p|afs|ceph|gfs2|gpfs|lustre|ocfs2|virtiofs|fuse(\..*)?")
"""Types of file systems whose locks are those of another machine or program, if there are any."""


class HistoryProbe(Struct, frozen=True):
    """The result of opening the history: the error is what the service would meet.

    `existing` is the folder or the part of its path that exists, `network` the type of its file
    system if that is one of the network; sizes are in bytes.
    """

    folder: Path
    existing: Path
    error: HistoryError | None = None
    is_locked: bool = False
    free: int = MIN_FREE
    size: int | None = None
    network: str | None = None


async def probe_history(folder: Path, root: Path, timeout: float) -> HistoryProbe:  # noqa: ASYNC109 - it becomes a finding
    """Open the history as the service does, see `try_history`; `root` is where /proc is."""
    try:
        return await asyncio.wait_for(asyncio.to_thread(_probe, folder, root), timeout)
    except TimeoutError:
        return HistoryProbe(folder, folder, HistoryError("the disk does not answer"))


async def read_stored(folder: Path | None, timeout: float) -> StoredHistory:  # noqa: ASYNC109
    """Return what is stored; nothing where it cannot be read: that is another step's finding."""
    with suppress(HistoryError, TimeoutError):
        if folder:
            return await asyncio.wait_for(asyncio.to_thread(read_history, folder), timeout)
    return StoredHistory()


def _probe(folder: Path, root: Path) -> HistoryProbe:
    folder = folder.absolute()
    error, is_locked, file = None, False, folder / FILE
    try:
        is_locked = try_history(folder)
    except HistoryError as exc:
        error = exc
    # Path.exists would raise in a folder that must not be entered.
    existing = next(part for part in (folder, *folder.parents) if os.path.exists(part))  # noqa: PTH110
    size = file.stat().st_size if os.path.exists(file) else None  # noqa: PTH110 - see above
    free, network = shutil.disk_usage(existing).free, _network_file_system(existing, root)
    return HistoryProbe(folder, existing, error, is_locked, free, size, network)


def _network_file_system(path: Path, root: Path) -> str | None:
    device = path.stat().st_dev
    table, number = root / "proc/self/mountinfo", f"{os.major(device)}:{os.minor(device)}"
    for line in table.read_text(errors="replace").splitlines() if table.exists() else []:
        mount, _, source = line.partition(" - ")
        kind = source.split()[0]
        if mount.split()[2] == number and _NETWORK.fullmatch(kind):
            return kind
    return None


def check_history(
    probe: HistoryProbe | None, environment: RuntimeEnvironment, *, is_running: bool
) -> Finding:
    """Return whether the history is saved. The service works without it: this never fails.

    A service that runs now (`is_running`) has locked the history.
    """
    if probe is None:
        return Step.HISTORY.ok("HISTORY=off: the history is kept in memory only")
    free = f"{probe.free // MB} MB free"
    if probe.error:
        text = f"{probe.folder} cannot be used: {probe.error}; the history is kept in memory only"
        other = "or set DATA_DIR to another folder, or HISTORY=off"
        return Step.HISTORY.warning(text, _remedy(probe, environment), other)
    if probe.is_locked and not is_running:
        text = f"another dstack-backend writes to {probe.folder}, and none runs on LISTEN_ADDR"
        return Step.HISTORY.warning(text, "give each service its own DATA_DIR")
    if probe.free < MIN_FREE:
        text = f"{probe.existing}: only {free}; on a full disk the history is kept in memory only"
        return Step.HISTORY.warning(text, "free some space, or set DATA_DIR to another disk")
    if probe.size is None:
        return Step.HISTORY.ok(f"{probe.folder}: the file will be created; {free}")
    return Step.HISTORY.ok(f"{probe.folder / FILE}: {probe.size / MB:.1f} MB; {free}")


def _remedy(probe: HistoryProbe, environment: RuntimeEnvironment) -> str:
    folder, uid, has_file = probe.existing, environment.uid, probe.size is not None
    cause = probe.error.__cause__ if probe.error else None
    if isinstance(cause, PermissionError):
        if environment.container:
            volume = "mount a volume there, as in -v dstack-history:/data"
            return f"{volume}; for a folder of the host, chown -R {uid} it"
        return f"setfacl {f'-R -m u:{uid}:rwX' if has_file else f'-m u:{uid}:rwx'} {folder}"
    if probe.network:
        why = f"{folder} is on {probe.network}, and network file systems may refuse locks"
        return f"set DATA_DIR to a folder of a local disk: {why}"
    if has_file and isinstance(cause, sqlite3.Error) and not is_transient(cause):
        return "the service quarantines a corrupt file by itself; move any other file away"
    needs = f"that uid {uid} can write to and no other program locks"
    return f"{folder} must be a folder of a local disk {needs}"
