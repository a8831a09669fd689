"""Checks of an answer of `/health`, of any backend or of one whose node has GPUs."""

import inspect
import json
import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from ipaddress import ip_address
from typing import Any, cast

import jsonschema
import msgspec

from dstack_backend.domain.backend_info import BackendInfo
from dstack_backend.domain.check import Reason
from dstack_backend.domain.gpu import GpuInventoryMetadata, GpuMetadata
from dstack_backend.domain.status import Status

__all__ = [
    "backend_info_schema",
    "check_answer",
    "check_backend_info",
    "check_gpu_metadata",
    "check_kind",
    "check_message",
]

OK, UNAVAILABLE = 200, 503

KINDS = sorted({reason.kind for reason in Reason})

MAX_LENGTH = 200

_FORM = re.compile(r"[^\W\d_][\w -]*: \S.*")

_PRIVATE = {
    "an address": re.compile(r"\S*(?:://|::)\S*"),
    "a host with its port": re.compile(r"\b[\w.-]*[a-z][\w.-]*:\d{2,5}\b", re.IGNORECASE),
    "a hardware or IPv6 address": re.compile(r"\b(?:[\da-f]{1,4}:){2,}[\da-f]{1,4}", re.IGNORECASE),
    "a path": re.compile(r"(?<!\w)/[\w.]\S*"),  # not the slash of HTTP/1.1
    "an exception's text": re.compile(
        r"\w+(?:Error|Exception)\b|Error\(|Errno|Traceback|0x[\da-f]{6}"
    ),
}

# The slot of a card (3b:00.0) is published anyway, and a time of day (12:30:45) is no address.
_HARMLESS = re.compile(
    r"\b(?:[\da-f]{4,8}:)?[\da-f]{2}:[\da-f]{2}\.[0-7]\b|(?<![\w:])\d\d:\d\d:\d\d(?![\w:])",
    re.IGNORECASE,
)


def backend_info_schema() -> Mapping[str, object]:
    """Return the JSON Schema of BackendInfo; `$defs` also has that of `GpuInventoryMetadata`.

    A field with a default is required, as it is always sent; one that may be absent has none.
    """
    (info, _), defs = msgspec.json.schema_components(
        [BackendInfo, GpuInventoryMetadata], ref_template="#/$defs/{name}"
    )
    for part in defs.values():
        # Python 3.13 and newer do this by themselves.
        part["description"] = inspect.cleandoc(part["description"])
        if "properties" in part:
            always = {name for name, field in part["properties"].items() if "default" in field}
            always.update(part["required"])
            part["required"] = [name for name in part["properties"] if name in always]
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **info, "$defs": defs}


def check_answer(code: int, body: bytes) -> BackendInfo:
    """Assert that an answer is valid and that its metadata are those of GPUs, and return it."""
    info = check_backend_info(code, body)
    if info.status is Status.AVAILABLE:
        check_gpu_metadata(json.loads(info.metadata))
    else:
        check_kind(info.metadata)
    return info


def check_backend_info(code: int, body: bytes) -> BackendInfo:
    """Assert that an answer is valid, with any metadata, and return it."""
    decoded = _decode(body, "the body")
    jsonschema.validate(decoded, backend_info_schema())  # also finds a missing field
    fields = cast("dict[str, object]", decoded)
    _check_order(fields, [name for name in BackendInfo.__struct_fields__ if name in fields])
    info = msgspec.convert(fields, BackendInfo)
    if isinstance(info.ip_address, str):
        ip_address(info.ip_address)  # raises an error that names the value
    expected_code = OK if info.status is Status.AVAILABLE else UNAVAILABLE
    assert code == expected_code, f"the code is {code}, but the status is {info.status}"
    if info.status is Status.UNAVAILABLE:
        check_message(info.metadata)
    else:
        metadata = _decode(info.metadata, "metadata")
        assert isinstance(metadata, dict), f"metadata is not a JSON object: {info.metadata!r}"
    return info


def check_gpu_metadata(metadata: Mapping[str, object]) -> None:
    """Assert that metadata have exactly the fields of `GpuInventoryMetadata`, in their order."""
    defs = backend_info_schema()["$defs"]
    jsonschema.validate(metadata, {"$ref": "#/$defs/GpuInventoryMetadata", "$defs": defs})
    _check_order(metadata, GpuInventoryMetadata.__struct_fields__)
    gpus = cast("list[dict[str, Any]]", metadata["gpus"])
    for gpu in gpus:
        _check_order(gpu, GpuMetadata.__struct_fields__)
    assert metadata["gpu_count"] == len(gpus), "gpu_count must be the number of GPUs"
    free = sum(gpu["is_free"] for gpu in gpus)
    assert metadata["free_gpu_count"] == free, "free_gpu_count must be the number of free GPUs"


def check_message(message: str) -> None:
    """Assert that a message is one line of the form `<Kind>: <detail>` that may be published.

    Only what looks like an address, a path or the text of an exception is found.
    """
    assert _FORM.fullmatch(message), f"the message is not `<Kind>: <detail>`: {message!r}"
    assert message.isprintable(), f"the message contains a control character: {message!r}"
    is_short = len(message) <= MAX_LENGTH
    assert is_short, f"the message is longer than {MAX_LENGTH} characters: {message!r}"
    rest = _HARMLESS.sub("", message)
    for name, pattern in _PRIVATE.items():
        found = pattern.search(rest)
        assert not found, f"the message contains {name}, {found[0]!r}: {message!r}"
    for numbers in re.findall(r"\d+(?:\.\d+){3,}", message):
        with suppress(ValueError):  # the version of a driver, such as 550.54.15.01, is no address
            ip_address(numbers)
            raise AssertionError(f"the message contains an address, {numbers!r}: {message!r}")


def check_kind(message: str) -> None:
    """Assert that the message of a failure starts with one of the kinds of this package."""
    assert message.partition(": ")[0] in KINDS, f"the kind of {message!r} is not one of {KINDS}"


def _check_order(found: Mapping[str, object], expected: Sequence[str]) -> None:
    assert list(found) == list(expected), f"the fields are {list(found)}; expected {expected}"


def _decode(text: str | bytes, name: str) -> object:
    try:
        return msgspec.json.decode(text)
    except ValueError as exc:
        raise AssertionError(f"{name} is not JSON: {text!r}") from exc
