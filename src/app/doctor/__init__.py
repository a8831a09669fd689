"""`dstack-backend doctor`: the troubleshooting of the README, step by step, with verdicts."""

from dstack_backend.app.doctor.command import run

__all__ = ["run"]
