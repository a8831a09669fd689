"""Complete HTTP answers: wrong status, wrong JSON, and valid answers with hostile content."""

import json
from collections.abc import Callable, Sequence
from functools import cache
from http import HTTPStatus

from dstack_backend.domain.check import Reason
from dstack_backend.testing.faults.behaviours import CANARY, writes
from dstack_backend.testing.simulated_dstack import Behaviour, http_answer

__all__ = ["ANSWER_FAULTS", "HOSTILE_ANSWERS"]

_CHAIN = json.dumps(
    {"error": f"Failed to list GPUs\n\nCaused by:\n    0: {CANARY}\n    1: lspci: No such file"},
    indent=2,
).encode()
"""The form of DStack's own errors: a chain of causes, in several lines."""

_HEADERS = {"Location": f"http://{CANARY}/", "WWW-Authenticate": f"Basic {CANARY}"}
_VERSION = {"X-App-Version": f"v0.5.11 <b>{CANARY}</b>"}
_VENDOR = "NVIDIA Corporation"
_GPU = {"slot": "3b:00.0", "product_id": "10de:2335", "description": _VENDOR, "is_free": True}


def _status(status: int) -> Behaviour:
    body = b"" if status == HTTPStatus.NO_CONTENT else _CHAIN
    _, _, rest = http_answer(status, body, {**_HEADERS, **_VERSION}).partition(b"\r\n")
    return writes(lambda: f"HTTP/1.1 {status} {CANARY}\r\n".encode() + rest)


def _body(make: Callable[[], bytes]) -> Behaviour:
    return writes(lambda: http_answer(200, make(), _VERSION))


def _json(value: object) -> Behaviour:
    return _body(lambda: json.dumps(value).encode())


def _listing(gpus: Sequence[object], **more: object) -> Behaviour:
    return _json({"gpus": gpus, "allow_attach_all": True, **more})


def _described(description: object) -> Behaviour:
    return _listing([{**_GPU, "description": description}])


_STATUSES = (201, 204, 206, 301, 302, 304, 307, 400, 403, 404, 429, 500, 502, 503, 599)
_GOOD = json.dumps({"gpus": [_GPU], "allow_attach_all": True}).encode()
_NESTED = 4_000_000
_WITHOUT = {name: {key: val for key, val in _GPU.items() if key != name} for name in _GPU}

_WRONG_JSON: dict[str, Behaviour] = {
    "empty": _body(lambda: b""),
    "null": _body(lambda: b"null"),
    "array": _body(lambda: b"[]"),
    "string": _json(CANARY),
    "html": _body(f"<html><body>{CANARY}</body></html>".encode),
    "no-gpus": _json({CANARY: CANARY, "allow_attach_all": True}),
    "gpus-null": _json({"gpus": None}),
    "gpus-object": _json({"gpus": {CANARY: _GPU}}),
    "gpu-string": _listing([CANARY]),
    **{f"gpu-without-{name}": _listing([gpu]) for name, gpu in _WITHOUT.items()},
    "slot-number": _listing([{**_GPU, "slot": 3}]),
    "product-id-list": _listing([{**_GPU, "product_id": [CANARY]}]),
    "description-null": _described(None),
    "is-free-string": _listing([{**_GPU, "is_free": CANARY}]),
    "is-free-number": _listing([{**_GPU, "is_free": 1}]),
    "allow-attach-all-null": _listing([], allow_attach_all=None),
    "allow-attach-all-string": _listing([], allow_attach_all=CANARY),
    "nan": _body(lambda: b'{"gpus":[],"allow_attach_all":NaN}'),
    "nan-in-unknown-field": _body(lambda: b'{"gpus":[],"temperature":NaN}'),
    "trailing-text": _body(lambda: _GOOD + CANARY.encode()),
    "two-documents": _body(lambda: _GOOD + _GOOD),
    "cut-off": _body(lambda: _GOOD[:-5]),
    "single-quotes": _body(lambda: b"{'gpus':[]}"),
    "bom": _body(lambda: b"\xef\xbb\xbf" + _GOOD),
    "utf-16": _body(lambda: _GOOD.decode().encode("utf-16")),
    "invalid-utf-8": _body(lambda: _GOOD.replace(b"NVIDIA", b"NV\xff\xfeIA")),
    "lone-surrogate": _described("\ud800"),
    "control-character": _body(lambda: _GOOD.replace(b"NVIDIA", b"NV\x1b[2JIA")),
    "nested-arrays": _body(lambda: b"[" * _NESTED),
    "nested-in-unknown-field": _body(lambda: b'{"gpus":[],"x":' + b"[" * _NESTED),
    "nested-objects": _body(lambda: b'{"gpus":[],"x":' + b'{"x":' * (_NESTED // 4)),
    "nested-in-description": _body(lambda: b'{"gpus":[{"description":' + b"[" * _NESTED),
}

ANSWER_FAULTS: dict[Reason, dict[str, Behaviour]] = {
    Reason.UNAUTHORIZED: {"status-401": _status(401)},
    Reason.HTTP_ERROR: {f"status-{status}": _status(status) for status in _STATUSES},
    Reason.INVALID_RESPONSE: {f"json-{name}": does for name, does in _WRONG_JSON.items()},
}
"""The behaviours by the reason of the failed check, and by name."""

_MANY = 20_000
_MARKUP = '<script>alert(1)</script>"\'&amp;{{7*7}}${7*7}%s%n\\"}],"is_free":'


@cache
def _many() -> bytes:
    gpus = [{**_GPU, "slot": f"{number:04x}:00:00.0"} for number in range(_MANY)]
    return json.dumps({"gpus": gpus, "allow_attach_all": True}).encode()


HOSTILE_ANSWERS: dict[str, Behaviour] = {
    "20000-gpus": _body(_many),
    "no-gpus": _listing([]),
    "unknown-fields": _listing([{**_GPU, "serial": CANARY}], note=CANARY, more={"a": [CANARY]}),
    "no-allow-attach-all": _json({"gpus": [_GPU]}),
    "control-characters": _described("".join(map(chr, range(0x20))) + "\x7f\x85\u2028\u2029"),
    "ansi-escapes": _described("\x1b[2J\x1b]0;title\x07\x1b[31mred\x9b31m"),
    "line-breaks": _described("NVIDIA\r\nHTTP/1.1 200 OK\r\n\r\n2026-01-01 INFO all is well\n"),
    "markup": _listing([dict.fromkeys(_GPU, _MARKUP) | {"is_free": False}]),
    "bidi": _described("\u202egnol yrev\u202c \u2066\u200f\ufeff NVIDIA \U0010ffff\ufdd0\x00"),
    "very-long-text": _described("x" * 2_000_000 + "[" + "y" * 2_000_000 + "]"),
    "brackets": _described("[" * 500_000 + "]" * 500_000),
    "label-breaking-model": _described('NVIDIA [x"} 1\\n# HELP evil]'),
    "duplicate-slots": _listing([_GPU] * 8),
    "empty-texts": _listing([{**dict.fromkeys(_GPU, ""), "is_free": False}]),
    "white-space": _body(lambda: b" \r\n\t" * 100_000 + _GOOD + b"\n" * 100_000),
}
"""Valid inventories with hostile content."""
