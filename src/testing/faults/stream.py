"""Faults of the byte stream: it ends, hangs, is too large, or is not valid HTTP."""

import zlib

from dstack_backend.domain.check import Reason
from dstack_backend.testing.faults.behaviours import (
    CANARY,
    hangs,
    repeats,
    resets,
    sends,
    trickles,
    writes,
)
from dstack_backend.testing.simulated_dstack import Behaviour, http_answer

__all__ = ["STREAM_FAULTS"]

_STATUS_LINE = b"HTTP/1.1 200 OK\r\n"
_HEAD = _STATUS_LINE + f"X-Note: {CANARY}\r\n".encode()
_HALF_HEAD = _HEAD + b"Content-Ty"
_HALF_BODY = _HEAD + b'Content-Length: 1000\r\n\r\n{"gpus":[' + CANARY.encode()
_CHUNKED = _HEAD + b"Transfer-Encoding: chunked\r\n\r\n"

_BODY = f'{{"gpus":[],"allow_attach_all":true,"note":"{CANARY}"}}'.encode()
_SIZE = len(_BODY)
_TEN_GIGABYTES = 10_000_000_000
_LIMIT = 8 * 1024 * 1024


def _with_lengths(*lengths: object, body: bytes = _BODY) -> bytes:
    lines = "".join(f"Content-Length: {length}\r\n" for length in lengths)
    return _STATUS_LINE + f"{lines}\r\n".encode() + body


def _bomb() -> bytes:
    """Return a gigabyte of spaces compressed to a megabyte, with a wrong checksum at its end."""
    packer = zlib.compressobj(wbits=31)
    spaces = b" " * 1024 * 1024
    head = packer.compress(spaces) + packer.flush(zlib.Z_FULL_FLUSH)
    # After a full flush the same input has the same output, so it is compressed once.
    block = packer.compress(spaces) + packer.flush(zlib.Z_FULL_FLUSH)
    return head + block * 1023 + packer.flush()


def _compressed(encoding: str) -> Behaviour:
    return writes(lambda: http_answer(200, _bomb(), {"Content-Encoding": encoding}))


STREAM_FAULTS: dict[Reason, dict[str, Behaviour]] = {
    Reason.CONNECTION_CLOSED: {
        "reset-before-headers": resets(),
        "reset-in-headers": resets(_HALF_HEAD),
        "reset-in-body": resets(_HALF_BODY),
        "closed-before-headers": sends(b""),
        "closed-in-headers": sends(_HALF_HEAD),
        "closed-in-body": sends(_HALF_BODY),
        "closed-in-chunk": sends(_CHUNKED + b"ff\r\n" + CANARY.encode()),
        "closed-between-chunks": sends(_CHUNKED + b'9\r\n{"gpus":[\r\n'),
        # These contain no end of a head, so the close of the connection is what the client sees.
        "ssh": sends(b"SSH-2.0-OpenSSH_9.2p1 Debian-2\r\nInvalid SSH identification string.\r\n"),
        "http-0.9": sends(f'{{"gpus":[],"note":"{CANARY}"}}'.encode()),
        "length-too-long": sends(_with_lengths(_SIZE + 10)),
        "length-huge-and-closed": sends(_with_lengths(_TEN_GIGABYTES)),
    },
    Reason.TIMED_OUT: {
        "hang-before-headers": hangs(),
        "hang-in-headers": hangs(_HALF_HEAD),
        "hang-in-body": hangs(_HALF_BODY),
        "hang-after-other-protocol": hangs(b"SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n"),
        "length-too-long-and-hang": hangs(_with_lengths(_SIZE + 10)),
        "trickled-headers": trickles(_HEAD, b"X-Trickle: 1\r\n"),
        "trickled-body": trickles(_CHUNKED, b"1\r\n \r\n"),
        "endless-informational": repeats(b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 100),
        "endless-early-hints": repeats(
            b"", b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" * 100
        ),
        "endless-tiny-chunks": repeats(_CHUNKED, b"1\r\n \r\n" * 1000),
    },
    Reason.INVALID_RESPONSE: {
        "http-2": sends(
            bytes.fromhex("000006040000000000000300000064") + b"\0\0\x08\x07" + b"\0" * 13
        ),
        "tls-alert": sends(b"\x15\x03\x01\x00\x02\x02\x28"),
        "random-bytes": sends(bytes(byte * 7919 % 251 for byte in range(4096))),
        "random-bytes-with-empty-line": sends(
            b"\x00\xff\x16\x03" * 64 + b"\r\n\r\n" + b"\xfe" * 64
        ),
        "smtp": sends(f"220 {CANARY} ESMTP\r\n\r\n".encode()),
        "rtsp": sends(f"RTSP/1.0 200 OK\r\nX-Note: {CANARY}\r\n\r\n".encode()),
        "status-line-without-status": sends(f"HTTP/1.1 OK {CANARY}\r\n\r\n".encode()),
        "header-without-colon": sends(_HEAD + CANARY.encode() + b"\r\n\r\n"),
        "endless-header-lines": repeats(_HEAD, b"X-More: more\r\n" * 100),
        "endless-header-line": repeats(_HEAD + b"X-More: ", b"more" * 1000),
        "length-too-short": sends(_with_lengths(_SIZE - 10)),
        "length-zero": sends(_with_lengths(0)),
        "length-negative": sends(_with_lengths(-1)),
        "length-twice": sends(_with_lengths(_SIZE, _SIZE + 1)),
        "length-no-number": sends(_with_lengths(CANARY)),
        "chunk-size-no-number": sends(_CHUNKED + b"canary\r\n{}\r\n0\r\n\r\n"),
        "chunk-size-huge": sends(_CHUNKED + b"f" * 40 + b"\r\n{}\r\n0\r\n\r\n"),
        "compressed-gzip": _compressed("gzip"),
        "compressed-deflate": _compressed("deflate"),
        "compressed-br": _compressed("br"),
        "compressed-twice": _compressed("gzip, gzip"),
    },
    Reason.RESPONSE_TOO_LARGE: {
        "length-huge": repeats(_with_lengths(_TEN_GIGABYTES, body=b""), b" " * 65536),
        "endless-big-chunks": repeats(_CHUNKED, b"10000\r\n" + b" " * 65536 + b"\r\n"),
        "endless-until-close": repeats(_STATUS_LINE + b"\r\n", b" " * 65536),
        "over-8-mib": writes(
            lambda: http_answer(200, b'{"gpus":[],"note":"'.ljust(_LIMIT - 1, b"x") + b'"}')
        ),
    },
}
"""The behaviours by the reason of the failed check, and by name."""
