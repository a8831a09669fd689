"""The check of DStack's unix socket. The connection decides; `stat` only explains its failure."""

import os
import stat
from pathlib import Path

from msgspec import Struct

from dstack_backend.app.doctor.environment import RuntimeEnvironment
from dstack_backend.app.doctor.finding import Finding, Step
from dstack_backend.domain.check import CheckFailure, Reason

__all__ = ["PathInfo", "check_socket", "inspect_path"]


class PathInfo(Struct, frozen=True):
    """What `stat` returns for a path; where it fails, the missing part or the closed folder."""

    path: Path
    part: Path
    stat: os.stat_result | None = None

    def __str__(self) -> str:
        if self.stat is None:
            return str(self.path)
        mode = stat.filemode(self.stat.st_mode)
        return f"{self.path} ({mode}, owner {self.stat.st_uid}:{self.stat.st_gid})"


def inspect_path(path: Path) -> PathInfo:
    """Call `stat` for each part of a path, the first one first."""
    part, found = path, None
    try:
        for part in [*reversed(path.parents), path]:
            found = part.stat()
    except OSError as exc:
        return PathInfo(path, part.parent if isinstance(exc, PermissionError) else part)
    return PathInfo(path, path, found)


def check_socket(
    info: PathInfo, result: float | CheckFailure, environment: RuntimeEnvironment
) -> Finding:
    """Return whether the socket is at fault where the connection to it failed."""
    if isinstance(result, CheckFailure) and (fault := _fault(info, result, environment)):
        return Step.SOCKET.failed(*fault, reason=result.reason)
    return Step.SOCKET.ok(f"{info} is a socket")


def _fault(
    info: PathInfo, failure: CheckFailure, environment: RuntimeEnvironment
) -> tuple[str, ...]:
    """Return a text and its remedies; nothing where the path is that of a socket."""
    address = "set DSTACK_URL to the path of DStack's socket, `address` in its vmm.toml"
    if failure.reason is Reason.PERMISSION_DENIED:
        return _denied(info, environment)
    if failure.reason is Reason.SOCKET_NOT_FOUND:
        running = "is DStack running? It creates the socket when it starts"
        mount = f"mount the folder of DStack's socket, as in -v /path:{info.path.parent}:ro"
        inside = f"the path is the one inside the container: {mount}"
        remedies = (inside, running) if environment.container else (running, address)
        return f"{info.part} does not exist", *remedies
    if info.stat is None:
        return f"cannot connect to {info}: {failure.detail_text}", address
    if stat.S_ISSOCK(info.stat.st_mode):
        return ()
    if environment.container and stat.S_ISDIR(info.stat.st_mode):
        docker = "Docker creates a folder where the file of a -v does not exist"
        address = f"{docker}: remove it, start DStack, then the container; or {address}"
    kind = "folder" if stat.S_ISDIR(info.stat.st_mode) else "file"
    return f"{info.path} is a {kind}, not a socket", address


def _denied(info: PathInfo, environment: RuntimeEnvironment) -> tuple[str, ...]:
    uid, gids = environment.uid, ", ".join(map(str, sorted(set(environment.gids))))
    service = f"the service (uid {uid}, gids {gids})"
    other = f"or run the service as the user of: stat -c %U {info.path}"
    if environment.container:
        other = 'or start the container with --user "$(stat -c %u:%g /path/vmm.sock)"'
    if info.stat is None:
        text = f"{service} may not enter the folder {info.part}"
        return text, f"setfacl -m u:{uid}:x {info.part}", other
    again = "again after each start of DStack, which creates a new socket"
    text = f"{info}: {service} has no write permission"
    return text, f"setfacl -m u:{uid}:rw {info.path}, {again}", other
