"""Faults of the framing of an answer: lengths, size and encoding."""

import asyncio
import zlib

from dstack_backend.domain.check import Reason
from dstack_backend.testing.faults.fault import CANARY, Fault, hangs, repeats, sends
from dstack_backend.testing.simulated_dstack import Behaviour, Request, http_answer

__all__ = ["FRAMING_FAULTS"]

_BODY = f'{{"gpus":[],"allow_attach_all":true,"note":"{CANARY}"}}'.encode()
_TEN_GIGABYTES = 10_000_000_000
_LIMIT = 8 * 1024 * 1024


def _with_lengths(*lengths: object, body: bytes = _BODY) -> bytes:
    lines = "".join(f"Content-Length: {length}\r\n" for length in lengths)
    return f"HTTP/1.1 200 OK\r\n{lines}\r\n".encode() + body


def _body_of(size: int) -> bytes:
    start = b'{"gpus":[],"note":"'
    return start + b"x" * (size - len(start) - 2) + b'"}'


def _bomb() -> bytes:
    """Return a gigabyte of spaces compressed to a megabyte, with a wrong checksum at its end."""
    packer = zlib.compressobj(wbits=31)
    spaces = b" " * 1024 * 1024
    head = packer.compress(spaces) + packer.flush(zlib.Z_FULL_FLUSH)
    # After a full flush the same input has the same output, so it is compressed once.
    block = packer.compress(spaces) + packer.flush(zlib.Z_FULL_FLUSH)
    return head + block * 1023 + packer.flush()


def _compressed(encoding: str) -> Behaviour:
    async def behave(_: Request, writer: asyncio.StreamWriter) -> None:
        writer.write(http_answer(200, _bomb(), {"Content-Encoding": encoding}))

    return behave


def _too_large_body() -> Behaviour:
    async def behave(_: Request, writer: asyncio.StreamWriter) -> None:
        writer.write(http_answer(200, _body_of(_LIMIT + 1)))
        await writer.drain()

    return behave


_CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"

_INVALID: dict[str, Behaviour] = {
    "length-too-short": sends(_with_lengths(len(_BODY) - 10)),
    "length-zero": sends(_with_lengths(0)),
    "length-negative": sends(_with_lengths(-1)),
    "length-twice": sends(_with_lengths(len(_BODY), len(_BODY) + 1)),
    "length-no-number": sends(_with_lengths(CANARY)),
    "chunk-size-no-number": sends(_CHUNKED + b"canary\r\n{}\r\n0\r\n\r\n"),
    "chunk-size-huge": sends(_CHUNKED + b"f" * 40 + b"\r\n{}\r\n0\r\n\r\n"),
    "compressed-gzip": _compressed("gzip"),
    "compressed-deflate": _compressed("deflate"),
    "compressed-br": _compressed("br"),
    "compressed-twice": _compressed("gzip, gzip"),
}

_TOO_LARGE: dict[str, Behaviour] = {
    "length-huge": repeats(_with_lengths(_TEN_GIGABYTES, body=b""), b" " * 65536),
    "endless-big-chunks": repeats(_CHUNKED, b"10000\r\n" + b" " * 65536 + b"\r\n"),
    "endless-until-close": repeats(b"HTTP/1.1 200 OK\r\n\r\n", b" " * 65536),
    "over-8-mib": _too_large_body(),
}

FRAMING_FAULTS: dict[str, Fault] = {
    **{name: Fault(does, Reason.INVALID_RESPONSE) for name, does in _INVALID.items()},
    **{name: Fault(does, Reason.RESPONSE_TOO_LARGE) for name, does in _TOO_LARGE.items()},
    "length-too-long": Fault(sends(_with_lengths(len(_BODY) + 10)), Reason.CONNECTION_CLOSED),
    "length-too-long-and-hang": Fault(hangs(_with_lengths(len(_BODY) + 10)), Reason.TIMED_OUT),
    "length-huge-and-closed": Fault(sends(_with_lengths(_TEN_GIGABYTES)), Reason.CONNECTION_CLOSED),
}
