"""Nostr keys, with nostr-sdk of the extra `nostr`. A secret key never leaves this module.

A public key is the 32 bytes of BIP340 in hexadecimal (NIP-01). `npub` and `nsec` are the forms for
people (NIP-19). A key file holds the secret key as the Rust service writes it: 64 hexadecimal
digits without a line break. `nsec` and surrounding white space are accepted as well.
"""

import os
import re
import secrets
import stat
from contextlib import suppress
from pathlib import Path
from tempfile import NamedTemporaryFile
from types import ModuleType
from typing import NamedTuple

__all__ = ["KeyFile", "create_key", "npub", "public_keys", "read_key"]

MAX_KEY_FILE = 1024  # bytes, far more than a key has
NO_KEY = "holds no secret key"

_FIELD = 2**256 - 2**32 - 977
_HEX = re.compile(r"[0-9a-fA-F]{64}")


class KeyFile(NamedTuple):
    """A file with a secret key. It is private if only its owner and its group can read it."""

    public_key: str
    is_private: bool


def public_keys(text: str) -> tuple[str, ...]:
    """Return the public keys of a list with commas, in hexadecimal, without duplicates.

    Raises:
        ValueError: An entry is not a public key. The message does not repeat the entry, which may
            be a secret key.
    """
    keys: list[str] = []
    for number, entry in enumerate(text.split(",") if text else (), 1):
        try:
            keys.append(_public_key(entry.strip()))
        except ValueError as exc:
            raise ValueError(f"entry {number} {exc}") from None
    return tuple(dict.fromkeys(keys))


def _public_key(text: str) -> str:
    if text.isascii() and text.isupper():
        text = text.lower()  # BIP-173: an npub may be in upper case, but not in mixed case
    if _HEX.fullmatch(text):
        key = text.lower()
    elif text.isascii() and text.lower().startswith("npub1"):
        library = _library()
        try:
            key = str(library.PublicKey.parse(text).to_hex())
        except library.NostrSdkError:
            raise ValueError("is not an npub; a letter may be wrong") from None
    elif text.lower().startswith("nsec1"):
        raise ValueError("is a secret key; use its public key, the npub")
    else:
        raise ValueError("is neither 64 hexadecimal digits nor an npub")
    if not _is_on_curve(int(key, 16)):
        raise ValueError("is not a public key; a digit may be wrong")
    return key


def _is_on_curve(x: int) -> bool:
    """Return whether x belongs to a point (BIP340, lift_x). Half of all typing errors do not."""
    return x < _FIELD and pow(x**3 + 7, (_FIELD - 1) // 2, _FIELD) == 1


def npub(key: str) -> str | None:
    """Return the npub of a public key in hexadecimal; `None` where the extra is not installed."""
    try:
        library = _library()
    except ValueError:
        return None
    return str(library.PublicKey.parse(key).to_bech32())


def read_key(file: Path) -> KeyFile:
    """Return the public key of the secret key in a file.

    Raises:
        ValueError: The file holds no usable key. The message repeats nothing of the file.
    """
    library = _library()
    text, mode = _read(file)
    try:
        key = str(library.Keys.parse(text).public_key().to_hex())
    except library.NostrSdkError:
        raise ValueError(f"{NO_KEY}: neither 64 hexadecimal digits nor an nsec") from None
    return KeyFile(key, not mode & stat.S_IRWXO)


def _read(file: Path) -> tuple[str, int]:
    try:
        # Without O_NONBLOCK, opening a pipe would wait for a writer.
        descriptor = os.open(file, os.O_RDONLY | os.O_NONBLOCK)
        try:
            mode = os.fstat(descriptor).st_mode
            if not stat.S_ISREG(mode):
                raise ValueError("is not a regular file")
            content = os.read(descriptor, MAX_KEY_FILE + 1)
        finally:
            os.close(descriptor)
    except OSError as exc:
        raise ValueError(f"cannot be read ({_error_text(exc)})") from None
    if len(content) > MAX_KEY_FILE:
        raise ValueError(f"{NO_KEY}: it is larger than {MAX_KEY_FILE} bytes")
    return content.decode("ascii", "replace").strip(), mode


def create_key(file: Path, *, dry_run: bool = False) -> bool:
    """Create a file with a new secret key, for its owner only. Return whether it was created.

    The file appears complete or not at all. An existing file is left alone. A dry run does the same
    without a key, under another name, and removes it.

    Raises:
        ValueError: It cannot be made.
    """
    library = _library()
    try:
        if os.path.lexists(file):
            return False
        with NamedTemporaryFile(dir=file.parent, prefix=f".{file.name}.") as draft:
            os.fchmod(draft.fileno(), stat.S_IRUSR | stat.S_IWUSR)
            secret = "-" * 64 if dry_run else library.Keys.generate().secret_key().to_hex()
            draft.write(secret.encode())
            draft.flush()
            os.fsync(draft.fileno())
            target = file.with_name(f".{secrets.token_hex(8)}") if dry_run else file
            os.link(draft.name, target)
            if dry_run:
                target.unlink()
        with suppress(PermissionError):  # the folder may be writable and not readable
            _sync_folder(file.parent)
    except FileExistsError:
        return False
    except OSError as exc:
        raise ValueError(f"cannot be made ({_error_text(exc)})") from None
    return True


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _error_text(exc: OSError) -> str:
    return (exc.strerror or "failed").lower()


def _library() -> ModuleType:
    try:
        import nostr_sdk  # type: ignore[import-untyped]  # noqa: PLC0415 - optional, and slow
    except ImportError:
        fault = "needs the extra nostr; run: pip install 'dstack-backend[nostr]'"
        raise ValueError(fault) from None
    return nostr_sdk  # type: ignore[no-any-return]  # it has annotations but no marker for them
