"""The check of the history: whether the service can save it."""

import asyncio
import os.path
import shutil
from pathlib import Path

from msgspec import Struct

from dstack_backend.adapters.sqlite_history import FILE
from dstack_backend.adapters.sqlite_history.probe import try_history
from dstack_backend.app.doctor.environment import RuntimeEnvironment
from dstack_backend.app.doctor.finding import Finding, Step
from dstack_backend.domain.history import HistoryError

__all__ = ["HistoryProbe", "check_history", "probe_history"]

MB = 1_000_000
MIN_FREE = 50 * MB
"""The file, its write-ahead log, and as much again for a corrupt file that is quarantined."""


class HistoryProbe(Struct, frozen=True):
    """The result of opening the history: the error is what the service would meet.

    `existing` is the folder or the part of its path that exists; sizes are in bytes.
    """

    folder: Path
    existing: Path
    error: HistoryError | None = None
    is_locked: bool = False
    free: int = MIN_FREE
    size: int | None = None


async def probe_history(folder: Path, timeout: float) -> HistoryProbe:  # noqa: ASYNC109 - it becomes a finding
    """Open the history as the service does, see `try_history`."""
    try:
        return await asyncio.wait_for(asyncio.to_thread(_probe, folder), timeout)
    except TimeoutError:
        return HistoryProbe(folder, folder, HistoryError("the disk does not answer"))


def _probe(folder: Path) -> HistoryProbe:
    folder = folder.absolute()
    error, is_locked, file = None, False, folder / FILE
    try:
        is_locked = try_history(folder)
    except HistoryError as exc:
        error = exc
    # Path.exists would raise in a folder that must not be entered.
    existing = next(part for part in (folder, *folder.parents) if os.path.exists(part))  # noqa: PTH110
    size = file.stat().st_size if os.path.exists(file) else None  # noqa: PTH110 - see above
    free = shutil.disk_usage(existing).free
    return HistoryProbe(folder, existing, error, is_locked, free, size)


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
    if probe.error and isinstance(probe.error.__cause__, PermissionError):
        if environment.container:
            volume = "mount a volume there, as in -v dstack-history:/data"
            return f"{volume}; for a folder of the host, chown -R {uid} it"
        return f"setfacl {f'-R -m u:{uid}:rwX' if has_file else f'-m u:{uid}:rwx'} {folder}"
    if has_file:
        return "the service quarantines a corrupt file by itself; move any other file away"
    return f"{folder} must be a folder of a local disk that uid {uid} can write to"
