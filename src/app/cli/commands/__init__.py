"""The commands, one module each. A command imports what it needs when it runs."""

from dstack_backend.app.cli.command import Command
from dstack_backend.app.cli.commands import (
    check,
    demo,
    doctor,
    gpus,
    healthcheck,
    history,
    identity,
    notify,
    serve,
    simulate,
    status,
)

__all__ = ["COMMANDS"]

_MODULES = (
    *(serve, status, check, identity, doctor, gpus, history, notify),
    *(demo, simulate, healthcheck),
)

COMMANDS: dict[str, Command] = {module.COMMAND.name: module.COMMAND for module in _MODULES}
