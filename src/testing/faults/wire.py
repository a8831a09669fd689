"""Faults of the connection: it closes, hangs, is slow, or uses another protocol."""

from dstack_backend.domain.check import Reason
from dstack_backend.testing.faults.fault import (
    CANARY,
    Fault,
    hangs,
    repeats,
    resets,
    sends,
    trickles,
)
from dstack_backend.testing.simulated_dstack import Behaviour

__all__ = ["WIRE_FAULTS"]

_HALF_HEAD = f"HTTP/1.1 200 OK\r\nX-Note: {CANARY}\r\nContent-Ty".encode()
_HEAD = f"HTTP/1.1 200 OK\r\nX-Note: {CANARY}\r\n".encode()
_HALF_BODY = _HEAD + b'Content-Length: 1000\r\n\r\n{"gpus":[' + CANARY.encode()
_CHUNKED = _HEAD + b"Transfer-Encoding: chunked\r\n\r\n"

_CLOSING: dict[str, Behaviour] = {
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
}

_HANGING: dict[str, Behaviour] = {
    "hang-before-headers": hangs(),
    "hang-in-headers": hangs(_HALF_HEAD),
    "hang-in-body": hangs(_HALF_BODY),
    "hang-after-other-protocol": hangs(b"SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n"),
    "trickled-headers": trickles(_HEAD, b"X-Trickle: 1\r\n"),
    "trickled-body": trickles(_CHUNKED, b"1\r\n \r\n"),
    "endless-informational": repeats(b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 100),
    "endless-early-hints": repeats(b"", b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" * 100),
    "endless-tiny-chunks": repeats(_CHUNKED, b"1\r\n \r\n" * 1000),
}

_NOT_HTTP: dict[str, Behaviour] = {
    "http-2": sends(bytes.fromhex("000006040000000000000300000064") + b"\0\0\x08\x07" + b"\0" * 13),
    "tls-alert": sends(b"\x15\x03\x01\x00\x02\x02\x28"),
    "random-bytes": sends(bytes(byte * 7919 % 251 for byte in range(4096))),
    "random-bytes-with-empty-line": sends(b"\x00\xff\x16\x03" * 64 + b"\r\n\r\n" + b"\xfe" * 64),
    "smtp": sends(f"220 {CANARY} ESMTP\r\n\r\n".encode()),
    "rtsp": sends(f"RTSP/1.0 200 OK\r\nX-Note: {CANARY}\r\n\r\n".encode()),
    "status-line-without-status": sends(f"HTTP/1.1 OK {CANARY}\r\n\r\n".encode()),
    "header-without-colon": sends(_HEAD + CANARY.encode() + b"\r\n\r\n"),
    "endless-header-lines": repeats(_HEAD, b"X-More: more\r\n" * 100),
    "endless-header-line": repeats(_HEAD + b"X-More: ", b"more" * 1000),
}

WIRE_FAULTS: dict[str, Fault] = {
    **{name: Fault(does, Reason.CONNECTION_CLOSED) for name, does in _CLOSING.items()},
    **{name: Fault(does, Reason.TIMED_OUT) for name, does in _HANGING.items()},
    **{name: Fault(does, Reason.INVALID_RESPONSE) for name, does in _NOT_HTTP.items()},
}
