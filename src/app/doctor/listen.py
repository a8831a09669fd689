"""Whether the address that we answer on is free; who has it if not, and where our service runs."""

import asyncio
import errno
import socket
from collections.abc import Sequence
from ipaddress import ip_address
from pathlib import Path
from typing import NamedTuple

from dstack_backend.adapters.granian_server import ListenError, free_address
from dstack_backend.app.config.parsers import ListenAddress, listen_address
from dstack_backend.app.doctor.finding import Finding, Step, failed, ok, sanitize, warning
from dstack_backend.app.doctor.port_owners import PortOwner, port_owners
from dstack_backend.app.doctor.running_service import RunningService, find_running_service

__all__ = ["Listening", "check_listen", "examine_listen", "really_at"]


class Listening(NamedTuple):
    """What was found about the address that we answer on.

    Attributes:
        finding: How it went.
        at: Where the service answers, or will.
    """

    finding: Finding
    at: ListenAddress


async def examine_listen(listen: ListenAddress, root: Path, timeout: float) -> Listening:  # noqa: ASYNC109 - it becomes a finding
    """Try the address; where it is taken, look who has it and whether it is our own service."""
    try:
        async with asyncio.timeout(timeout):
            fault = await asyncio.to_thread(_try, listen)
    except TimeoutError:
        fault = OSError(errno.ETIMEDOUT, "the look-up of the name takes too long")
    if fault is None or fault.errno != errno.EADDRINUSE:
        return Listening(check_listen(listen, fault), listen)
    try:
        async with asyncio.timeout(timeout):
            running_service = await asyncio.to_thread(find_running_service, listen)
    except TimeoutError:
        running_service = None
    found = port_owners(listen.port, root)
    at = really_at(listen, found) if running_service else listen
    return Listening(check_listen(listen, fault, found, running_service), at)


def really_at(listen: ListenAddress, found: Sequence[PortOwner]) -> ListenAddress:
    """Give where a service that is met at an address listens, as far as that is seen.

    Where the address is taken, the service that answers there may have it as one of many, or
    answer on loopback alone where all addresses are meant.
    """
    places = [listen_address(each.address) for each in found]
    if not _is_numeric(listen.host) or listen in places or not places:
        return listen
    return listen.connect_address if listen.connect_address in places else places[0]


def _is_numeric(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def _try(listen: ListenAddress) -> OSError | None:
    try:
        free_address(listen.host, listen.port)
    except ListenError as exc:
        return exc.__cause__ if isinstance(exc.__cause__, OSError) else OSError(str(exc))
    return None


def check_listen(
    listen: ListenAddress,
    fault: OSError | None,
    found: Sequence[PortOwner] = (),
    running_service: RunningService | None = None,
) -> Finding:
    """Say whether the service can listen, or already does.

    Args:
        listen: Where it answers.
        fault: Why we cannot listen there now; `None` where we can.
        found: Who listens on the port.
        neighbour: Our own service, if it is that.
    """
    if fault is None:
        return ok(Step.LISTEN, f"{listen} is free; the service does not run there now")
    if running_service:
        return _judge_ours(listen, really_at(listen, found), running_service)
    if fault.errno == errno.EADDRINUSE:
        who = "; ".join(map(str, found)) or "another process"
        return failed(Step.LISTEN, f"{listen} is taken by {who}", _free_it(listen, found))
    text = f"cannot listen on {listen}: {(fault.strerror or 'failed').lower()}"
    return failed(Step.LISTEN, text, _cures(listen, fault))


def _judge_ours(
    listen: ListenAddress, at: ListenAddress, running_service: RunningService
) -> Finding:
    text = f"our own service runs on {at}"
    if at == listen:
        return ok(Step.LISTEN, f"{text}: {_shown(running_service)}")
    return warning(
        Step.LISTEN,
        f"{text}, not on {listen} as set here: {_shown(running_service)}",
        f"give the doctor the settings of the service, here LISTEN_ADDR={at}",
        f"or start the service again with LISTEN_ADDR={listen}",
    )


def _shown(running_service: RunningService) -> str:
    reason = f" ({running_service.reason})" if running_service.reason else ""
    return f"version {sanitize(running_service.version)}, {running_service.status}{reason}"


def _free_it(listen: ListenAddress, found: Sequence[PortOwner]) -> tuple[str, ...]:
    port = listen.port
    other = f"end that program, or choose another port, as in LISTEN_ADDR=0.0.0.0:{port + 1}"
    if found and all(each.pid for each in found):
        return (other,)
    return (f"see who it is, as root: ss -ltnp 'sport = :{port}'", other)


def _cures(listen: ListenAddress, fault: OSError) -> tuple[str, ...]:
    if isinstance(fault, PermissionError):
        return ("a port below 1024 needs rights: choose a higher one, LISTEN_ADDR=0.0.0.0:8080",)
    if isinstance(fault, socket.gaierror) or fault.errno == errno.ETIMEDOUT:
        return (f"put an address in the place of the name: LISTEN_ADDR=0.0.0.0:{listen.port}",)
    return (
        (
            "it must be an address of this machine (ip address), in a container one of its own:"
            f" LISTEN_ADDR=0.0.0.0:{listen.port} is all of them"
        ),
    )
