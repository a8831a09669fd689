"""Named behaviours for `SimulatedDStack`: faults, and valid answers with hostile content.

A test sets one by its name::

    dstack.behaviour = FAULTS["hang-in-body"].behaviour

A fault ends a check with its `reason`. `HOSTILE_ANSWERS` are valid inventories. Every text that a
fault sends contains the `CANARY`, which must not appear in any output.
"""

from msgspec import Struct

from dstack_backend.domain.check import Reason
from dstack_backend.testing.faults.answers import ANSWER_FAULTS, HOSTILE_ANSWERS
from dstack_backend.testing.faults.behaviours import CANARY
from dstack_backend.testing.faults.stream import STREAM_FAULTS
from dstack_backend.testing.simulated_dstack import Behaviour

__all__ = ["CANARY", "FAULTS", "HOSTILE_ANSWERS", "Fault"]


class Fault(Struct, frozen=True):
    """A behaviour of the simulated DStack, and the reason of the check that it fails."""

    behaviour: Behaviour
    reason: Reason


FAULTS: dict[str, Fault] = {
    name: Fault(behaviour, reason)
    for table in (STREAM_FAULTS, ANSWER_FAULTS)
    for reason, behaviours in table.items()
    for name, behaviour in behaviours.items()
}
"""All faults, by name."""
