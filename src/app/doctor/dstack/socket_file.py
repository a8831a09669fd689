"""The check of DStack's unix socket. The connection decides; `stat` only explains its failure."""

import os
import stat
from pathlib import Path

from msgspec import Struct

from dstack_backend.app.doctor.environment import RuntimeEnvironment
from dstack_backend.app.doctor.finding import Finding, Step, detail_of, failed, ok
from dstack_backend.domain.check import CheckFailure, Reason

__all__ = ["PathInfo", "check_socket", "inspect_path"]

_Fault = tuple[str, tuple[str, ...]]
"""A text and its remedies."""


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
    part = path
    try:
        for part in [*reversed(path.parents), path]:
            part.stat()
        return PathInfo(path, path, path.stat())
    except PermissionError:
        return PathInfo(path, part.parent)
    except OSError:
        return PathInfo(path, part)


def check_socket(
    info: PathInfo, result: float | CheckFailure, environment: RuntimeEnvironment
) -> Finding:
    """Return whether the socket is at fault where the connection to it failed."""
    fault = _fault(info, result, environment) if isinstance(result, CheckFailure) else None
    if not isinstance(result, CheckFailure) or fault is None:
        return ok(Step.SOCKET, f"{info} is a socket")
    text, remedies = fault
    return failed(Step.SOCKET, text, *remedies, reason=result.reason)


def _fault(info: PathInfo, failure: CheckFailure, environment: RuntimeEnvironment) -> _Fault | None:
    if failure.reason is Reason.SOCKET_NOT_FOUND:
        return f"{info.part} does not exist", _missing_remedies(info, environment)
    if failure.reason is Reason.PERMISSION_DENIED:
        return _denied(info, environment)
    if info.stat is None:
        text = f"cannot connect to {info}: {detail_of(failure)}"
        return text, ("is the path in DSTACK_URL that of DStack's socket?",)
    if stat.S_ISSOCK(info.stat.st_mode):
        return None
    if not stat.S_ISDIR(info.stat.st_mode):
        return f"{info.path} is a file, not a socket", ("set DSTACK_URL to DStack's socket",)
    docker = "Docker creates a folder where the file of a -v does not exist"
    remove = (f"{docker}: remove it, start DStack, then the container",)
    remedies = (*(remove if environment.container else ()), "set DSTACK_URL to the socket in it")
    return f"{info.path} is a folder, not a socket", remedies


def _missing_remedies(info: PathInfo, environment: RuntimeEnvironment) -> tuple[str, ...]:
    running = "is DStack running? It creates the socket when it starts"
    if not environment.container:
        return (running, "compare with `address` in DStack's vmm.toml")
    mount = f"mount the folder of DStack's socket, as in -v /path:{info.path.parent}:ro"
    return (f"the path is the one inside the container: {mount}", running)


def _denied(info: PathInfo, environment: RuntimeEnvironment) -> _Fault:
    user, other = environment.user, f"or run the service as the user of: stat -c %U {info.path}"
    if environment.container:
        other = 'or start the container with --user "$(stat -c %u:%g /path/vmm.sock)"'
    if info.stat is None:
        text = f"the service ({user}) may not enter the folder {info.part}"
        return text, (f"setfacl -m u:{user.uid}:x {info.part}", other)
    again = "again after each start of DStack, which creates a new socket"
    text = f"{info}: the service ({user}) has no write permission"
    return text, (f"setfacl -m u:{user.uid}:rw {info.path}, {again}", other)
