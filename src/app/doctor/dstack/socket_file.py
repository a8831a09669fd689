"""The check of DStack's unix socket. The connection decides; `stat` only explains its failure."""

import stat
from pathlib import Path

from msgspec import Struct

from dstack_backend.app.doctor.environment import ProcessUser, RuntimeEnvironment
from dstack_backend.app.doctor.finding import Finding, Step, detail_of, failed, ok
from dstack_backend.domain.check import CheckFailure, Reason

__all__ = ["PathInfo", "check_socket", "inspect_path"]


class PathInfo(Struct, frozen=True, kw_only=True):
    """What `stat` returns for a path.

    Attributes:
        path: The path.
        part: The first part of the path that is missing, or the folder that must not be entered.
        mode: Type and permissions; `None` where `stat` fails.
        owner: User and group.
    """

    path: Path
    part: Path
    mode: int | None = None
    owner: tuple[int, int] = (0, 0)

    @property
    def permissions(self) -> str:
        """The permissions and the owner, for people."""
        return f"{stat.filemode(self.mode or 0)}, owner {self.owner[0]}:{self.owner[1]}"


def inspect_path(path: Path) -> PathInfo:
    """Call `stat` for each part of a path, the first one first."""
    part = path
    try:
        for part in [*reversed(path.parents), path]:
            part.stat()
        found = path.stat()
    except PermissionError:
        return PathInfo(path=path, part=part.parent)
    except OSError:
        return PathInfo(path=path, part=part)
    return PathInfo(path=path, part=path, mode=found.st_mode, owner=(found.st_uid, found.st_gid))


def check_socket(
    info: PathInfo,
    result: float | CheckFailure,
    user: ProcessUser,
    environment: RuntimeEnvironment,
) -> Finding:
    """Return whether the socket is at fault where the connection to it failed."""
    if not isinstance(result, CheckFailure):
        return ok(Step.SOCKET, f"{info.path} is a socket ({info.permissions})")
    if result.reason is Reason.SOCKET_NOT_FOUND:
        text, remedies = f"{info.part} does not exist", _missing_remedies(info, environment)
    elif result.reason is Reason.PERMISSION_DENIED:
        text, remedies = _denied(info, user, environment)
    elif info.mode is None:
        text = f"cannot connect to {info.path}: {detail_of(result)}"
        remedies = ("is the path in DSTACK_URL that of DStack's socket?",)
    elif not stat.S_ISSOCK(info.mode):
        text, remedies = _not_a_socket(info, environment)
    else:
        return ok(Step.SOCKET, f"{info.path} is a socket ({info.permissions})")
    return failed(Step.SOCKET, text, *remedies, reason=result.reason)


def _missing_remedies(info: PathInfo, environment: RuntimeEnvironment) -> tuple[str, ...]:
    running = "is DStack running? It creates the socket when it starts"
    if environment.container:
        mount = (
            "the path is the one inside the container: mount the folder of DStack's socket,"
            f" as in -v /path:{info.path.parent}:ro"
        )
        return (mount, running)
    return (running, "compare with `address` in DStack's vmm.toml")


def _denied(
    info: PathInfo, user: ProcessUser, environment: RuntimeEnvironment
) -> tuple[str, tuple[str, ...]]:
    other = (
        'or start the container with --user "$(stat -c %u:%g /path/vmm.sock)"'
        if environment.container
        else f"or run the service as the user of: stat -c %U {info.path}"
    )
    if info.mode is None:
        text = f"the service ({user}) may not enter the folder {info.part}"
        return text, (f"setfacl -m u:{user.uid}:x {info.part}", other)
    text = f"{info.path} ({info.permissions}): the service ({user}) has no write permission"
    again = "again after each start of DStack, which creates a new socket"
    return text, (f"setfacl -m u:{user.uid}:rw {info.path}, {again}", other)


def _not_a_socket(info: PathInfo, environment: RuntimeEnvironment) -> tuple[str, tuple[str, ...]]:
    if not stat.S_ISDIR(info.mode or 0):
        return f"{info.path} is a file, not a socket", ("set DSTACK_URL to DStack's socket",)
    text, inside = f"{info.path} is a folder, not a socket", "set DSTACK_URL to the socket in it"
    if not environment.container:
        return text, (inside,)
    docker = (
        "Docker creates a folder where the file of a -v does not exist: remove it, start DStack,"
        " then the container"
    )
    return text, (docker, inside)
