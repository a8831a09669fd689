"""The GPUs in the file: what is remembered, the time in use, and requests to forget one.

A damaged row is left out, as one of the entries is.
"""

import sqlite3
from collections.abc import Sequence
from typing import Annotated

import msgspec
from msgspec import Meta

from dstack_backend.domain.gpu import StoredGpus, UsePeriod
from dstack_backend.domain.gpu.inventory import encodable
from dstack_backend.domain.history import GpuUpdate

__all__ = ["load_forget_requests", "load_gpus", "load_use", "request_forget", "save_gpus"]

_STATE = "SELECT state FROM gpus"
_SET_STATE = "INSERT INTO gpus VALUES (1, ?) ON CONFLICT DO UPDATE SET state = excluded.state"
_USE = "SELECT period, slots FROM gpu_use ORDER BY period"
_SET_USE = "INSERT OR REPLACE INTO gpu_use VALUES (?, ?)"
_DELETE_USE = "DELETE FROM gpu_use WHERE period = ?"
_REQUESTS = "SELECT slot FROM forget_request WHERE typeof(slot) = 'text'"
_REQUEST = "INSERT OR IGNORE INTO forget_request VALUES (?)"
_DELETE_REQUEST = "DELETE FROM forget_request WHERE slot = ?"

_encode = msgspec.json.encode
_state_decoder = msgspec.json.Decoder(StoredGpus)
_Seconds = Annotated[float, Meta(ge=0, le=1e6)]
_slots_decoder = msgspec.json.Decoder(dict[str, tuple[_Seconds, _Seconds]])
_DAMAGED = (msgspec.DecodeError, TypeError, ValueError)


def load_gpus(connection: sqlite3.Connection) -> StoredGpus | None:
    """Return what is remembered of the GPUs; `None` where there is nothing, or it is damaged."""
    row = connection.execute(_STATE).fetchone()
    try:
        return _state_decoder.decode(row[0]) if row else None
    except _DAMAGED:
        return None


def load_use(connection: sqlite3.Connection) -> Sequence[UsePeriod]:
    """Return the time in use, in periods."""
    found: list[UsePeriod] = []
    for number, slots in connection.execute(_USE):
        try:
            found.append(UsePeriod(number, _slots_decoder.decode(slots)))
        except _DAMAGED:
            continue
    return tuple(found)


def load_forget_requests(connection: sqlite3.Connection) -> Sequence[str]:
    """Return the slots of missing GPUs that are to be forgotten."""
    return tuple(slot for (slot,) in connection.execute(_REQUESTS))


def request_forget(connection: sqlite3.Connection, slot: str) -> None:
    """Ask for the missing GPUs of a slot to be forgotten."""
    connection.execute(_REQUEST, (encodable(slot),))


def save_gpus(connection: sqlite3.Connection, update: GpuUpdate) -> None:
    """Write what is new."""
    if update.state is not None:
        connection.execute(_SET_STATE, (_encode(update.state).decode(),))
    for period in update.use:
        if period.slots:
            connection.execute(_SET_USE, (period.number, _encode(period.slots).decode()))
        else:
            connection.execute(_DELETE_USE, (period.number,))
    connection.executemany(_DELETE_REQUEST, ((slot,) for slot in update.forgotten))
