"""The option `--forget` of the command `gpus`."""

from datetime import datetime
from pathlib import Path

from msgspec.structs import replace

from dstack_backend.adapters.sqlite_history import request_forget
from dstack_backend.app.cli.commands.gpus_table import is_running
from dstack_backend.app.errors import UserError
from dstack_backend.app.history.log import HEARTBEAT
from dstack_backend.domain.gpu import MissingGpu, gpu_name
from dstack_backend.domain.history import HistoryError, StoredHistory

__all__ = ["forget_gpus"]

MAX_SHOWN = 8

_PCI_DOMAIN = "0000:"


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
    names = [gpu_name(each.gpu) for each in missing[:MAX_SHOWN]]
    more = [f"{len(missing) - MAX_SHOWN} more"] if len(missing) > MAX_SHOWN else []
    return ", ".join([*names, *more])
