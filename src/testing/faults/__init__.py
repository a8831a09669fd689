"""Named behaviours for `SimulatedDStack`: all that a peer can do wrong, and good answers to fear.

    dstack.behaviour = FAULTS["hang-in-body"].behaviour

`FAULTS` must end a check with the reason that each names, `HOSTILE_ANSWERS` are inventories all the
same. Everything that a fault says for itself holds the `CANARY`, which must not be seen again.
"""

from dstack_backend.testing.faults.answers import HOSTILE_ANSWERS, JSON_FAULTS, STATUS_FAULTS
from dstack_backend.testing.faults.fault import CANARY, Fault
from dstack_backend.testing.faults.framing import FRAMING_FAULTS
from dstack_backend.testing.faults.wire import WIRE_FAULTS

__all__ = ["CANARY", "FAULTS", "HOSTILE_ANSWERS", "Fault"]

FAULTS: dict[str, Fault] = {**WIRE_FAULTS, **FRAMING_FAULTS, **STATUS_FAULTS, **JSON_FAULTS}
"""All faults, by name."""
