"""The history that the service has stored: reading it, and requests to forget a missing GPU."""

from datetime import datetime
from pathlib import Path

from msgspec.structs import replace

from dstack_backend.adapters.sqlite_history import FILE, read_history, request_forget
from dstack_backend.app.errors import UserError
from dstack_backend.domain.formatting import escape, join_some
from dstack_backend.domain.gpu import MissingGpu, gpu_name
from dstack_backend.domain.history import HistoryError, StoredHistory
from dstack_backend.domain.history.stored import HEARTBEAT

__all__ = ["forget_gpus", "is_running", "read_stored"]

MAX_SHOWN = 8

_PCI_DOMAIN = "0000:"


def read_stored(folder: Path | None) -> StoredHistory:
    """Return the history in a folder, whether a service writes to it or not.

    Raises:
        UserError: There is no history, or it cannot be read.
    """
    try:
        return _read(folder)
    except HistoryError as exc:
        fault = f"there is no history to show: {exc}"
        raise UserError("", fault, exit_code=1) from None


def _read(folder: Path | None) -> StoredHistory:
    if folder is None:
        raise HistoryError("with HISTORY=off none is kept on disk")
    try:
        (folder / FILE).stat()
    except OSError as exc:
        fault = (exc.strerror or "failed").lower()
        raise HistoryError(f"{FILE} in DATA_DIR={escape(str(folder))}: {fault}") from exc
    stored = read_history(folder)
    if not stored.entries and stored.alive_at is None:
        raise HistoryError("nothing is written yet")
    return stored


def is_running(stored: StoredHistory, now: datetime) -> bool:
    """Return whether a service writes to the history, as far as the file shows."""
    age = abs((now - stored.alive_at).total_seconds()) if stored.alive_at else float("inf")
    return age <= 2 * HEARTBEAT


def forget_gpus(
    folder: Path, stored: StoredHistory, slot: str, now: datetime
) -> tuple[StoredHistory, str]:
    """Ask the service to forget the missing GPUs of a slot.

    Return the stored history with the request, and the line for the user. A slot may be given with
    or without the PCI domain `0000:`.

    Raises:
        UserError: No GPU of that slot is missing, or the request cannot be written.
    """
    state = stored.gpu_state
    missing = list(state.missing.values()) if state else []
    found = _matching(missing, slot)
    if not found:
        known = f"no GPU of this slot is missing; missing: {_names(missing)}"
        raise UserError("--forget", known if missing else "no GPU is missing")
    try:
        request_forget(folder, found[0].gpu.slot)
    except HistoryError as exc:
        fault = f"the request cannot be written to the file in DATA_DIR: {exc}; run it as root or"
        fault += " as the user of the service, in a container with docker exec, or try again"
        raise UserError("--forget", fault, exit_code=1) from None
    requests = (*stored.forget_requests, found[0].gpu.slot)
    applied = "the service applies this at its next start"
    if is_running(stored, now):
        applied = f"the running service applies this within {HEARTBEAT:.0f} s"
    return replace(stored, forget_requests=requests), f"forgotten: {_names(found)}; {applied}"


def _matching(missing: list[MissingGpu], slot: str) -> list[MissingGpu]:
    exact = [each for each in missing if each.gpu.slot == slot]
    return exact or [each for each in missing if _short(each.gpu.slot) == _short(slot)]


def _short(slot: str) -> str:
    return slot.lower().removeprefix(_PCI_DOMAIN)


def _names(missing: list[MissingGpu]) -> str:
    return join_some([gpu_name(each.gpu) for each in missing], MAX_SHOWN)
