"""Checks of an answer of `/health`: of any backend, and of one whose node has GPUs."""

import inspect
import json
from collections.abc import Mapping, Sequence
from ipaddress import ip_address
from typing import Any, cast

import jsonschema
import msgspec

from dstack_backend.domain.backend_info import BackendInfo
from dstack_backend.domain.check import Reason
from dstack_backend.domain.gpu import GpuInventoryMetadata, GpuMetadata
from dstack_backend.domain.status import Status
from dstack_backend.testing.contracts.message import check_message

__all__ = [
    "backend_info_schema",
    "check_answer",
    "check_backend_info",
    "check_gpu_metadata",
    "check_kind",
]

OK, UNAVAILABLE = 200, 503

KINDS = sorted({reason.kind for reason in Reason})


def backend_info_schema() -> Mapping[str, object]:
    """Return the JSON Schema of BackendInfo; `$defs` also has that of `GpuInventoryMetadata`.

    It is the same on every Python: docstrings are cleaned, which Python 3.13 does by itself. A
    field with a default is required, as it is always sent; one that may be absent has none.
    """
    (info, _), defs = msgspec.json.schema_components(
        [BackendInfo, GpuInventoryMetadata], ref_template="#/$defs/{name}"
    )
    for part in defs.values():
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
