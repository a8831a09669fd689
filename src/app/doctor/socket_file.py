"""DStack's unix socket: whether it is there, is one, and lets us in."""

import os
import stat
from pathlib import Path

from msgspec import Struct

from dstack_backend.app.doctor.environment import RuntimeEnvironment
from dstack_backend.app.doctor.finding import Finding, Step, failed, ok
from dstack_backend.domain.check import Reason

__all__ = ["ProcessUser", "SocketFile", "check_socket", "look_at", "process_user"]


class ProcessUser(Struct, frozen=True):
    """Whom the kernel takes us for.

    Attributes:
        uid: The effective user.
        gids: The effective group and all others.
    """

    uid: int
    gids: tuple[int, ...]

    def __str__(self) -> str:
        return f"uid {self.uid}, gids {', '.join(map(str, self.gids))}"


class SocketFile(Struct, frozen=True, kw_only=True):
    """What is at the socket's path.

    Attributes:
        path: The path.
        met: The first part of the path that is missing or closed to us, else the path itself.
        mode: Type and rights as `stat` gives them; `None` where it is missing or closed.
        owner: Its user and group.
        fault: Why `met` cannot be looked at, where it is neither missing nor closed.
        is_missing: Nothing is at `met`.
        is_open: We may connect, by rights, access lists and capabilities.
    """

    path: Path
    met: Path
    mode: int | None = None
    owner: tuple[int, int] = (0, 0)
    fault: str | None = None
    is_missing: bool = False
    is_open: bool = False


def process_user() -> ProcessUser:
    """Ask the kernel."""
    return ProcessUser(os.geteuid(), tuple(sorted({os.getegid(), *os.getgroups()})))


def look_at(path: Path) -> SocketFile:
    """Look at the path, part by part."""
    met = Path("/")
    found = met.stat()
    try:
        for met in [*reversed(path.parents), path]:
            found = met.stat()
    except PermissionError:
        return SocketFile(path=path, met=met.parent)
    except (FileNotFoundError, NotADirectoryError):
        return SocketFile(path=path, met=met, is_missing=True)
    except OSError as exc:
        return SocketFile(path=path, met=met, fault=(exc.strerror or "failed").lower())
    return SocketFile(
        path=path,
        met=path,
        mode=found.st_mode,
        owner=(found.st_uid, found.st_gid),
        is_open=os.access(path, os.W_OK, effective_ids=os.access in os.supports_effective_ids),
    )


def check_socket(file: SocketFile, user: ProcessUser, environment: RuntimeEnvironment) -> Finding:
    """Say whether we can connect to what is there."""
    if file.is_missing:
        text = f"{file.met} does not exist"
        return failed(Step.SOCKET, text, _where(file, environment), Reason.SOCKET_NOT_FOUND)
    if file.fault:
        text = f"{file.met} cannot be looked at: {file.fault}"
        cure = "is the path in DSTACK_URL that of DStack's socket?"
        return failed(Step.SOCKET, text, (cure,), Reason.CONNECTION_FAILED)
    if file.mode is None:
        text = f"we ({user}) may not enter the folder {file.met}"
        remedies = (f"setfacl -m u:{user.uid}:x {file.met}", *_other_user(file, environment))
        return failed(Step.SOCKET, text, remedies, Reason.PERMISSION_DENIED)
    if not stat.S_ISSOCK(file.mode):
        return _no_socket(file, file.mode, environment)
    rights = f"{stat.filemode(file.mode)}, owner {file.owner[0]}:{file.owner[1]}"
    if file.is_open:
        return ok(Step.SOCKET, f"{file.path} is a socket ({rights}); we ({user}) may open it")
    text = f"{file.path} ({rights}) is closed to us ({user}): connecting needs write permission"
    remedies = (
        (
            f"setfacl -m u:{user.uid}:rw {file.path}, again after each start of DStack, which makes"
            " the socket anew"
        ),
        *_other_user(file, environment),
    )
    return failed(Step.SOCKET, text, remedies, Reason.PERMISSION_DENIED)


def _no_socket(file: SocketFile, mode: int, environment: RuntimeEnvironment) -> Finding:
    if stat.S_ISDIR(mode):
        hint = (
            (
                (
                    "Docker makes a folder where the file of a -v does not exist: remove it, start"
                    " DStack, then the container"
                ),
            )
            if environment.container
            else ()
        )
        text = f"{file.path} is a folder, not a socket"
        return failed(Step.SOCKET, text, (*hint, "set DSTACK_URL to the socket in it"))
    text = f"{file.path} is a file, but not a socket"
    return failed(Step.SOCKET, text, ("set DSTACK_URL to DStack's socket",))


def _where(file: SocketFile, environment: RuntimeEnvironment) -> tuple[str, ...]:
    running = "does DStack run? It makes the socket when it starts"
    if environment.container:
        return (
            (
                "the path is the one inside the container: mount the folder of DStack's socket,"
                f" as in -v /path:{file.path.parent}:ro"
            ),
            running,
        )
    return (running, "compare with `address` in DStack's vmm.toml")


def _other_user(file: SocketFile, environment: RuntimeEnvironment) -> tuple[str, ...]:
    if environment.container:
        return ('or start the container with --user "$(stat -c %u:%g /path/vmm.sock)"',)
    return (f"or run the service as the user of: stat -c %U {file.path}",)
