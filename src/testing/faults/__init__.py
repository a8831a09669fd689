"""Named behaviours for `SimulatedDStack`: faults, and valid answers with hostile content.

    dstack.behaviour = FAULTS["hang-in-body"].behaviour

A fault ends a check with its `reason`. `HOSTILE_ANSWERS` are valid inventories. Every text that a
fault sends contains the `CANARY`, which must not appear in any output.
"""

from dstack_backend.testing.faults.answers import HOSTILE_ANSWERS, JSON_FAULTS, STATUS_FAULTS
from dstack_backend.testing.faults.fault import CANARY, Fault
from dstack_backend.testing.faults.framing import FRAMING_FAULTS
from dstack_backend.testing.faults.wire import WIRE_FAULTS

__all__ = ["CANARY", "FAULTS", "HOSTILE_ANSWERS", "Fault"]

FAULTS: dict[str, Fault] = {**WIRE_FAULTS, **FRAMING_FAULTS, **STATUS_FAULTS, **JSON_FAULTS}
"""All faults, by name."""
