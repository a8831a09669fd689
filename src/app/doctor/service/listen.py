"""The check of the address that the service listens on."""

import asyncio
import errno
import socket
from http.client import HTTPConnection, HTTPException
from pathlib import Path

import msgspec
from msgspec import Struct

from dstack_backend.adapters.granian_server import ListenError, free_address
from dstack_backend.app.config.settings import ListenAddress
from dstack_backend.app.doctor.finding import Finding, Step, failed, ok, sanitize, warning
from dstack_backend.app.doctor.service.port_owners import PortOwner, port_owners
from dstack_backend.domain.check import Reason
from dstack_backend.domain.status import Status

__all__ = ["ListenProbe", "RunningService", "actual_address", "check_listen", "probe_listen"]

MAX_BODY = 64 * 1024
SOCKET_TIMEOUT = 3.0


class RunningService(Struct, frozen=True):
    """What `GET /` of a running service returns."""

    name: str
    version: str
    status: Status
    reason: Reason | None = None


class ListenProbe(Struct, frozen=True):
    """Why the service cannot listen, the processes on its port, the dstack-backend there."""

    error: OSError | None = None
    owners: tuple[PortOwner, ...] = ()
    running_service: RunningService | None = None


async def probe_listen(listen: ListenAddress, root: Path, timeout: float) -> ListenProbe:  # noqa: ASYNC109 - it becomes a finding
    """Listen on the address as the service does. Where it is taken, find out by which process."""
    try:
        await asyncio.wait_for(asyncio.to_thread(free_address, listen.host, listen.port), timeout)
    except TimeoutError:
        return ListenProbe(OSError(errno.ETIMEDOUT, "the name look-up takes too long"))
    except ListenError as exc:
        error = exc.__cause__ if isinstance(exc.__cause__, OSError) else OSError(0, str(exc))
        if error.errno != errno.EADDRINUSE:
            return ListenProbe(error)
        owners = port_owners(listen.port, root)
        return ListenProbe(error, owners, await _find_service(listen, timeout))
    return ListenProbe()


async def _find_service(listen: ListenAddress, timeout: float) -> RunningService | None:  # noqa: ASYNC109 - it becomes `None`
    try:
        return await asyncio.wait_for(asyncio.to_thread(_get_root, listen), timeout)
    except (OSError, HTTPException, ValueError, RecursionError):
        return None


def _get_root(listen: ListenAddress) -> RunningService | None:
    address = listen.connect_address
    connection = HTTPConnection(address.host, address.port, timeout=SOCKET_TIMEOUT)
    try:
        connection.request("GET", "/", headers={"Accept": "application/json"})
        body = connection.getresponse().read(MAX_BODY)
    finally:
        connection.close()
    found = msgspec.json.decode(body, type=RunningService)
    return found if found.name == "dstack-backend" else None


def actual_address(listen: ListenAddress, probe: ListenProbe) -> ListenAddress:
    """Return the address that the running service listens on, as far as it is known.

    The service that answers at `listen` may listen on all addresses, or on loopback alone where
    `listen` means all addresses.
    """
    addresses = [each.address for each in probe.owners]
    is_name = ":" not in listen.host and not listen.host.replace(".", "").isdigit()
    if not probe.running_service or not addresses or is_name or listen in addresses:
        return listen
    return listen.connect_address if listen.connect_address in addresses else addresses[0]


def check_listen(listen: ListenAddress, probe: ListenProbe) -> Finding:
    """Return whether the service can listen on its address, or already does."""
    if probe.error is None:
        return ok(Step.LISTEN, f"{listen} is free; the service does not run there now")
    if probe.running_service:
        return _check_running(listen, actual_address(listen, probe), probe.running_service)
    if probe.error.errno == errno.EADDRINUSE:
        owners = "; ".join(map(str, probe.owners)) or "another process"
        remedies = _taken_remedies(listen.port, probe)
        return failed(Step.LISTEN, f"{listen} is taken by {owners}", *remedies)
    text = f"cannot listen on {listen}: {(probe.error.strerror or 'failed').lower()}"
    return failed(Step.LISTEN, text, _remedy(listen.port, probe.error))


def _check_running(
    listen: ListenAddress, actual: ListenAddress, service: RunningService
) -> Finding:
    reason = f" ({service.reason})" if service.reason else ""
    state = f"version {sanitize(service.version)}, {service.status}{reason}"
    if actual == listen:
        return ok(Step.LISTEN, f"dstack-backend runs on {actual}: {state}")
    return warning(
        Step.LISTEN,
        f"dstack-backend runs on {actual}, not on {listen} as set here: {state}",
        f"give the doctor the settings of the service, here LISTEN_ADDR={actual}",
        f"or restart the service with LISTEN_ADDR={listen}",
    )


def _taken_remedies(port: int, probe: ListenProbe) -> tuple[str, ...]:
    other = f"end that program, or choose another port, as in LISTEN_ADDR=0.0.0.0:{port + 1}"
    if probe.owners and all(each.pid for each in probe.owners):
        return (other,)
    return (f"show the process, as root: ss -ltnp 'sport = :{port}'", other)


def _remedy(port: int, error: OSError) -> str:
    if isinstance(error, PermissionError):
        return "a port below 1024 needs a privilege: use a higher one, LISTEN_ADDR=0.0.0.0:8080"
    if isinstance(error, socket.gaierror) or error.errno == errno.ETIMEDOUT:
        return f"use an address instead of the name: LISTEN_ADDR=0.0.0.0:{port}"
    return (
        "it must be an address of this machine (ip address), in a container one of its own;"
        f" LISTEN_ADDR=0.0.0.0:{port} means all of them"
    )
