"""`dstack-backend doctor`: checks everything the service depends on, step by step."""

from dstack_backend.app.doctor.command import run

__all__ = ["run"]
