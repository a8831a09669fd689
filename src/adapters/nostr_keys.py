"""Nostr's keys, with nostr-sdk, which the extra `nostr` brings. What is secret never leaves here.

A public key is the 32 bytes of BIP340, in hexadecimal (NIP-01); `npub` and `nsec` are the forms for
people (NIP-19). A file holds its secret key as the Rust service writes and reads it: 64 hexadecimal
digits without a line break; `nsec` and blanks around are read as well.
"""

import contextlib
import errno
import os
import re
import stat
from pathlib import Path
from tempfile import NamedTemporaryFile
from types import ModuleType
from typing import NamedTuple

__all__ = [
    "FileKey",
    "MissingLibraryError",
    "create_key",
    "npub",
    "public_keys",
    "read_key",
    "would_create",
]

LARGEST_KEY_FILE = 1024
"""Bytes: far beyond any key."""

DRAFT_ENDING = 8
"""Characters that `tempfile` puts behind the name of a draft."""

NO_KEY = "holds no secret key"

_FIELD = 2**256 - 2**32 - 977
_HEX = re.compile(r"[0-9a-fA-F]{64}")


class MissingLibraryError(ValueError):
    """What was asked needs the extra `nostr`."""

    def __init__(self) -> None:
        super().__init__("needs the extra nostr: pip install 'dstack_backend-VERSION.whl[nostr]'")


class FileKey(NamedTuple):
    """What is told of a file with a secret key.

    Attributes:
        public_key: The public key of it, in hexadecimal.
        is_private: Not everybody can read the file; its group may, as a service's user needs it.
    """

    public_key: str
    is_private: bool


def public_keys(text: str) -> tuple[str, ...]:
    """Give the public keys of a list with commas, hexadecimal or npub, in hexadecimal, each once.

    Raises:
        ValueError: One is none. The message does not repeat it: it may be a secret key by mistake.
    """
    keys: list[str] = []
    for number, entry in enumerate(text.split(",") if text else (), 1):
        try:
            keys.append(_public_key(entry.strip()))
        except ValueError as exc:
            raise ValueError(f"entry {number} {exc}") from None
    return tuple(dict.fromkeys(keys))


def _public_key(text: str) -> str:
    if _HEX.fullmatch(text):
        key = text.lower()
    elif text.isascii() and text.lower().startswith("npub1"):
        key = _decoded(text)
    elif text.lower().startswith("nsec1"):
        raise ValueError("is a secret key; only the public one, the npub, belongs here")
    else:
        raise ValueError("is neither 64 hexadecimal digits nor an npub")
    if not _is_on_curve(int(key, 16)):
        raise ValueError("is no public key; a digit may be wrong")
    return key


def npub(key: str) -> str:
    """Give the npub of a public key in hexadecimal.

    Raises:
        MissingLibraryError: The extra is not installed.
    """
    return str(_library().PublicKey.parse(key).to_bech32())


def read_key(file: Path) -> FileKey:
    """Give the public key of the secret key in a file.

    Raises:
        ValueError: There is no usable key. The message repeats nothing of the file.
    """
    library = _library()
    text, mode = _read(file)
    try:
        key = str(library.Keys.parse(text).public_key().to_hex())
    except library.NostrSdkError:
        raise ValueError(f"{NO_KEY}: neither 64 hexadecimal digits nor an nsec") from None
    return FileKey(key, not mode & stat.S_IRWXO)


def create_key(file: Path) -> bool:
    """Make a file with a new secret key, for its owner only; say whether it was we who made it.

    The file appears with all it holds or not at all, and one that exists stays as it is.

    Raises:
        ValueError: It cannot be made.
    """
    library = _library()
    try:
        if os.path.lexists(file):
            return False
        with NamedTemporaryFile(dir=file.parent, prefix=f".{file.name}.") as draft:
            os.fchmod(draft.fileno(), stat.S_IRUSR | stat.S_IWUSR)
            draft.write(library.Keys.generate().secret_key().to_hex().encode())
            draft.flush()
            os.fsync(draft.fileno())
            os.link(draft.name, file)
        _sync_folder(file.parent)
    except FileExistsError:
        return False
    except OSError as exc:
        raise ValueError(f"cannot be made ({_why(exc)})") from None
    return True


def would_create(file: Path) -> bool:
    """Say whether `create_key` would make the file; nothing is made.

    Raises:
        ValueError: It could not be made. The message is that of `create_key`.
    """
    _library()
    if os.path.lexists(file):
        return False
    try:
        if not stat.S_ISDIR(file.parent.stat().st_mode):
            raise _fault(errno.ENOTDIR)
        if os.statvfs(file.parent).f_flag & os.ST_RDONLY:
            raise _fault(errno.EROFS)
        by_rights = os.access in os.supports_effective_ids
        if not os.access(file.parent, os.W_OK | os.X_OK, effective_ids=by_rights):
            raise _fault(errno.EACCES)
        with contextlib.suppress(FileNotFoundError):
            file.with_name(f".{file.name}.{'x' * DRAFT_ENDING}").lstat()  # a name may be too long
    except OSError as exc:
        raise ValueError(f"cannot be made ({_why(exc)})") from None
    return True


def _fault(number: int) -> OSError:
    return OSError(number, os.strerror(number))


def _read(file: Path) -> tuple[str, int]:
    try:
        # Without O_NONBLOCK, opening a pipe would wait for somebody to write to it.
        number = os.open(file, os.O_RDONLY | os.O_NONBLOCK)
        try:
            mode = os.fstat(number).st_mode
            if not stat.S_ISREG(mode):
                raise ValueError("is not a regular file")
            content = os.read(number, LARGEST_KEY_FILE + 1)
        finally:
            os.close(number)
    except OSError as exc:
        raise ValueError(f"cannot be read ({_why(exc)})") from None
    if len(content) > LARGEST_KEY_FILE:
        raise ValueError(f"{NO_KEY}: it is larger than {LARGEST_KEY_FILE} bytes")
    return content.decode("ascii", "replace").strip(), mode


def _sync_folder(folder: Path) -> None:
    number = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(number)
    finally:
        os.close(number)


def _why(exc: OSError) -> str:
    return (exc.strerror or "failed").lower()


def _decoded(text: str) -> str:
    library = _library()
    try:
        return str(library.PublicKey.parse(text).to_hex())
    except library.NostrSdkError:
        raise ValueError("is no npub; a letter may be wrong") from None


def _is_on_curve(x: int) -> bool:
    """Say whether x belongs to a point (BIP340, lift_x): half of all mistyped ones do not."""
    return x < _FIELD and pow(x**3 + 7, (_FIELD - 1) // 2, _FIELD) == 1


def _library() -> ModuleType:
    try:
        import nostr_sdk  # type: ignore[import-untyped]  # noqa: PLC0415 - optional, and slow
    except ImportError:
        raise MissingLibraryError from None
    return nostr_sdk  # type: ignore[no-any-return]  # it has annotations but no marker for them
