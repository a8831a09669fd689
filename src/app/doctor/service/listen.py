"""The check of the address that the service listens on."""

import asyncio
import errno
from collections.abc import Mapping
from contextlib import suppress
from http.client import HTTPConnection, HTTPException
from pathlib import Path

import msgspec
from msgspec import Struct

from dstack_backend.adapters.granian_server import ListenError, listen
from dstack_backend.app.config.settings import ListenAddress
from dstack_backend.app.doctor.finding import Finding, Step, sanitize
from dstack_backend.app.doctor.service.port_owners import port_owners
from dstack_backend.domain.check import Reason
from dstack_backend.domain.status import Status

__all__ = ["ListenProbe", "RunningService", "check_listen", "probe_listen"]

MAX_BODY = 64 * 1024


class RunningService(Struct, frozen=True):
    """What `GET /` of a running service returns."""

    name: str
    version: str
    status: Status
    reason: Reason | None = None

    def __str__(self) -> str:
        reason = f" ({self.reason})" if self.reason else ""
        return f"version {sanitize(self.version)}, {self.status}{reason}"


class ListenProbe(Struct, frozen=True):
    """Why the service cannot listen on an address; the processes and the service that do."""

    listen: ListenAddress
    error: OSError | None = None
    owners: Mapping[ListenAddress, str] = {}
    service: RunningService | None = None

    @property
    def actual_address(self) -> ListenAddress:
        """The address that the running service listens on, as far as it is known.

        It may be all addresses, or loopback alone where `listen` means all addresses.
        """
        host = self.listen.host
        is_name = ":" not in host and not host.replace(".", "").isdigit() and host != "*"
        if not self.service or not self.owners or is_name or self.listen in self.owners:
            return self.listen
        # The kernel lists a socket of both families as one of IPv6.
        if host == "*" and {each.host for each in self.owners} & {"::", "0.0.0.0"}:  # noqa: S104 - compared
            return self.listen
        local = self.listen.connect_address
        return local if local in self.owners else next(iter(self.owners))


async def probe_listen(address: ListenAddress, root: Path, timeout: float) -> ListenProbe:  # noqa: ASYNC109 - it becomes a finding
    """Listen on the address as the service does. Where it is taken, find out by which process."""
    try:
        listener = await asyncio.wait_for(asyncio.to_thread(listen, *address), timeout)
        listener.close()
    except TimeoutError:
        return ListenProbe(address, OSError(errno.ETIMEDOUT, "the name look-up takes too long"))
    except ListenError as exc:
        error = exc.__cause__ if isinstance(exc.__cause__, OSError) else OSError(0, str(exc))
        if error.errno != errno.EADDRINUSE:
            return ListenProbe(address, error)
        service = None
        with suppress(TimeoutError):
            service = await asyncio.wait_for(asyncio.to_thread(_find_service, address), timeout)
        return ListenProbe(address, error, port_owners(address.port, root), service)
    return ListenProbe(address)


def _find_service(listen: ListenAddress) -> RunningService | None:
    connection = HTTPConnection(*listen.connect_address, timeout=3)
    try:
        connection.request("GET", "/", headers={"Accept": "application/json"})
        found = msgspec.json.decode(connection.getresponse().read(MAX_BODY), type=RunningService)
    except (OSError, HTTPException, ValueError, RecursionError):
        return None
    finally:
        connection.close()
    return found if found.name == "dstack-backend" else None


def check_listen(probe: ListenProbe) -> Finding:
    """Return whether the service can listen on its address, or already does."""
    listen, error = probe.listen, probe.error
    if error is None:
        return Step.LISTEN.ok(f"{listen} is free; the service does not run there now")
    if probe.service:
        actual = probe.actual_address
        if actual == listen:
            return Step.LISTEN.ok(f"dstack-backend runs on {listen}: {probe.service}")
        text = f"dstack-backend runs on {actual}, not on {listen} as set here: {probe.service}"
        remedy = f"give the doctor the settings of the service, here LISTEN_ADDR={actual}"
        other = f"or restart the service with LISTEN_ADDR={listen}"
        return Step.LISTEN.warning(text, remedy, other)
    if error.errno == errno.EADDRINUSE:
        owners = "; ".join(f"{process}, on {at}" for at, process in probe.owners.items())
        show = f"end that program (ss -ltnp 'sport = :{listen.port}' shows it, as root)"
        remedy = f"{show}, or choose another port, as in LISTEN_ADDR=*:{listen.port + 1}"
        return Step.LISTEN.failed(f"{listen} is taken by {owners or 'another process'}", remedy)
    remedy = "set an address of this machine (ip address), in a container one of its own, and no"
    remedy += f" name: LISTEN_ADDR=*:{listen.port} means all of them"
    if isinstance(error, PermissionError):
        remedy = "a port below 1024 needs a privilege: use a higher one, LISTEN_ADDR=*:8080"
    text = f"cannot listen on {listen}: {(error.strerror or 'failed').lower()}"
    return Step.LISTEN.failed(text, remedy)
