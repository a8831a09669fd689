"""The message of `/health` for each fault."""

from http import HTTPStatus

from dstack_backend.domain import Reason
from dstack_backend.testing.faults import FAULTS

__all__ = ["TIMEOUT", "message"]

TIMEOUT = 1.0
"""Seconds that a check of the matrix may take."""

_BY_REASON = {
    Reason.CONNECTION_CLOSED: (
        "Connection error: connection closed before the answer was complete"
    ),
    Reason.TIMED_OUT: f"Connection error: no answer within {TIMEOUT:g} s",
    Reason.UNAUTHORIZED: "HTTP error: 401 Unauthorized",
    Reason.RESPONSE_TOO_LARGE: "Parse error: the answer is larger than 8 MiB",
    Reason.INVALID_RESPONSE: "Parse error: the answer is not HTTP/1.1",
}

_CUT = "Input data was truncated"
_MALFORMED = "JSON is malformed: invalid character"
_TRAILING = "JSON is malformed: trailing characters"
_COMPRESSED = "the answer is compressed"
_DEEP = "the answer is nested too deep"

_PARSE_ERRORS = {
    "length-too-short": _CUT,
    "length-zero": _CUT,
    "compressed-gzip": _COMPRESSED,
    "compressed-deflate": _COMPRESSED,
    "compressed-br": _COMPRESSED,
    "compressed-twice": _COMPRESSED,
    "json-empty": _CUT,
    "json-null": "Expected `object`, got `null`",
    "json-array": "Expected `object`, got `array`",
    "json-string": "Expected `object`, got `str`",
    "json-html": _MALFORMED,
    "json-no-gpus": "Object missing required field `gpus`",
    "json-gpus-null": "Expected `array`, got `null` - at `$.gpus`",
    "json-gpus-object": "Expected `array`, got `object` - at `$.gpus`",
    "json-gpu-string": "Expected `object`, got `str` - at `$.gpus[0]`",
    "json-gpu-without-slot": "Object missing required field `slot` - at `$.gpus[0]`",
    "json-gpu-without-product_id": "Object missing required field `product_id` - at `$.gpus[0]`",
    "json-gpu-without-description": "Object missing required field `description` - at `$.gpus[0]`",
    "json-gpu-without-is_free": "Object missing required field `is_free` - at `$.gpus[0]`",
    "json-slot-number": "Expected `str`, got `int` - at `$.gpus[0].slot`",
    "json-product-id-list": "Expected `str`, got `array` - at `$.gpus[0].product_id`",
    "json-description-null": "Expected `str`, got `null` - at `$.gpus[0].description`",
    "json-is-free-string": "Expected `bool`, got `str` - at `$.gpus[0].is_free`",
    "json-is-free-number": "Expected `bool`, got `int` - at `$.gpus[0].is_free`",
    "json-allow-attach-all-null": "Expected `bool`, got `null` - at `$.allow_attach_all`",
    "json-allow-attach-all-string": "Expected `bool`, got `str` - at `$.allow_attach_all`",
    "json-nan": _MALFORMED,
    "json-nan-in-unknown-field": _MALFORMED,
    "json-trailing-text": _TRAILING,
    "json-two-documents": _TRAILING,
    "json-cut-off": _CUT,
    "json-single-quotes": "JSON is malformed: object keys must be strings",
    "json-bom": _MALFORMED,
    "json-utf-16": _MALFORMED,
    "json-invalid-utf-8": "the answer is not UTF-8",
    "json-lone-surrogate": "JSON is malformed: unexpected end of escaped utf-16 surrogate pair",
    "json-control-character": _MALFORMED,
    "json-nested-arrays": "Expected `object`, got `array`",
    "json-nested-in-unknown-field": _DEEP,
    "json-nested-objects": _DEEP,
    "json-nested-in-description": "Expected `str`, got `array` - at `$.gpus[0].description`",
}


def message(fault: str) -> str:
    """Return the message, without the position in the answer that some of them end with."""
    if fault in _PARSE_ERRORS:
        return f"Parse error: {_PARSE_ERRORS[fault]}"
    reason = FAULTS[fault].reason
    if reason is Reason.HTTP_ERROR:
        return f"HTTP error: {_status_line(int(fault.removeprefix('status-')))}"
    return _BY_REASON[reason]


def _status_line(status: int) -> str:
    known = {each.value: f"{each.value} {each.phrase}" for each in HTTPStatus}
    return known.get(status, str(status))
