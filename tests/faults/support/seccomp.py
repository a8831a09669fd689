"""System calls that the kernel denies to a test, with a seccomp filter.

A filter holds for one thread and the processes that it starts, and cannot be removed. `deny` runs a
function in a thread of its own: the rest of the tests keep their system calls.
"""

import ctypes
import os
import platform
import struct
from collections.abc import Callable, Sequence
from threading import Thread
from typing import NamedTuple, TypeVar

__all__ = ["LOCK_COMMANDS", "Denial", "can_deny", "deny"]

T = TypeVar("T")

LOCK_COMMANDS = (6, 7)
"""`F_SETLK` and `F_SETLKW` of fcntl on 64-bit Linux."""

# The architecture in the kernel's audit.h, and the numbers of its system calls.
_ARCHITECTURES = {
    "x86_64": (
        0xC000003E,
        {"access": 21, "faccessat": 269, "faccessat2": 439, "fcntl": 72, "flock": 73}
        | {"link": 86, "linkat": 265, "prlimit64": 302, "setrlimit": 160, "socket": 41},
    ),
    "aarch64": (
        0xC00000B7,
        {"faccessat": 48, "faccessat2": 439, "fcntl": 25, "flock": 32}
        | {"linkat": 37, "prlimit64": 261, "setrlimit": 164, "socket": 198},
    ),
}

# prctl.h and seccomp.h
_SET_SECCOMP, _SECCOMP_FILTER, _SET_NO_NEW_PRIVILEGES = 22, 2, 38
_ALLOW, _ERRNO = 0x7FFF0000, 0x00050000

# Instructions of bpf_common.h, and offsets in struct seccomp_data.
_LOAD, _JUMP_IF_EQUAL, _RETURN = 0x20, 0x15, 0x06
_NUMBER, _ARCHITECTURE, _ARGUMENTS = 0, 4, 16


class Denial(NamedTuple):
    """A system call that fails with an error number.

    Attributes:
        call: Its name. One that the architecture does not have is left out.
        error: The number, of `errno`.
        argument: The place of the argument that decides.
        values: The values with which it fails; with any value where there is none.
        allowed: Values with which it does not fail, where there are no `values`.
    """

    call: str
    error: int
    argument: int = 1
    values: Sequence[int] = ()
    allowed: Sequence[int] = ()


class _Program(ctypes.Structure):
    """struct sock_fprog."""

    _fields_ = (("length", ctypes.c_ushort), ("instructions", ctypes.c_char_p))


def deny(denials: Sequence[Denial], function: Callable[[], T]) -> T:
    """Call a function with these denials, which the processes that it starts inherit."""
    results: list[T] = []
    errors: list[BaseException] = []

    def run() -> None:
        try:
            _install(denials)
            results.append(function())
        except BaseException as exc:  # noqa: BLE001 - raised again in the caller's thread
            errors.append(exc)

    thread = Thread(target=run)
    thread.start()
    thread.join()
    if errors:
        raise errors[0]
    return results[0]


def can_deny() -> bool:
    """Return whether this machine has filters for system calls."""
    try:
        deny([], lambda: None)
    except (KeyError, OSError):
        return False
    return True


def _install(denials: Sequence[Denial]) -> None:
    prctl = ctypes.CDLL(None, use_errno=True).prctl
    prctl.argtypes = [ctypes.c_int, *[ctypes.c_ulong] * 4]
    instructions = _instructions(denials)
    program = _Program(len(instructions) // 8, instructions)
    for option, value, pointer in (
        (_SET_NO_NEW_PRIVILEGES, 1, 0),
        (_SET_SECCOMP, _SECCOMP_FILTER, ctypes.addressof(program)),
    ):
        if prctl(option, value, pointer, 0, 0):
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def _instructions(denials: Sequence[Denial]) -> bytes:
    architecture, numbers = _ARCHITECTURES[platform.machine()]
    program = [
        _instruction(_LOAD, _ARCHITECTURE),
        _instruction(_JUMP_IF_EQUAL, architecture, if_true=1),
        _instruction(_RETURN, _ALLOW),
    ]
    for denial in denials:
        if denial.call in numbers:
            program += _denial(numbers[denial.call], denial)
    return b"".join([*program, _instruction(_RETURN, _ALLOW)])


def _denial(number: int, denial: Denial) -> list[bytes]:
    """Return the instructions of one denial: continue after them where it does not hold."""
    deny = _instruction(_RETURN, _ERRNO | denial.error)
    inner = [deny]
    if denial.allowed:
        inner = [_instruction(_LOAD, _ARGUMENTS + 8 * denial.argument)]
        for left, value in zip(reversed(range(len(denial.allowed))), denial.allowed, strict=True):
            inner += [_instruction(_JUMP_IF_EQUAL, value, if_true=left + 1)]
        inner += [deny]
    elif denial.values:
        inner = [_instruction(_LOAD, _ARGUMENTS + 8 * denial.argument)]
        for value in denial.values:
            inner += [_instruction(_JUMP_IF_EQUAL, value, if_false=1), deny]
    load = _instruction(_LOAD, _NUMBER)
    return [load, _instruction(_JUMP_IF_EQUAL, number, if_false=len(inner)), *inner]


def _instruction(code: int, value: int, *, if_true: int = 0, if_false: int = 0) -> bytes:
    """Return a struct sock_filter."""
    return struct.pack("=HBBI", code, if_true, if_false, value)
