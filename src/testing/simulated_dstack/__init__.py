"""A simulated DStack: a real HTTP server on loopback TCP or on a unix socket.

It answers as DStack does until `behaviour` is set: see `dstack_backend.testing.faults`.
"""

from dstack_backend.testing.simulated_dstack.server import (
    EIGHT_H200,
    Behaviour,
    Request,
    SimulatedDStack,
    http_answer,
)
from dstack_backend.testing.simulated_dstack.thread import Remote, in_thread

__all__ = [
    "EIGHT_H200",
    "Behaviour",
    "Remote",
    "Request",
    "SimulatedDStack",
    "http_answer",
    "in_thread",
]
