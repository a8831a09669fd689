"""What holds for each answer of `/health`: of any backend, and of one whose node has GPUs."""

import inspect
import json
from collections.abc import Mapping
from ipaddress import ip_address
from typing import Any, cast

import jsonschema
import msgspec
from jsonschema import Draft202012Validator

from dstack_backend.domain.backend_info import BackendInfo
from dstack_backend.domain.check import Reason
from dstack_backend.domain.gpu import GpuInventoryMetadata
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

FIELDS = ["version", "topic", "pubkeys", "status", "metadata"]
OPTIONAL_FIELDS = ["ip_address"]
METADATA_FIELDS = ["gpu_count", "gpus", "allow_attach_all", "free_gpu_count"]
GPU_FIELDS = ["slot", "product_id", "description", "is_free", "model"]

KINDS = sorted({reason.kind for reason in Reason})


def backend_info_schema() -> Mapping[str, object]:
    """Give the JSON Schema of BackendInfo; `$defs` also holds that of `GpuInventoryMetadata`.

    It is the same on every Python: docstrings are cleaned, which Python 3.13 does by itself. A
    field with a default is required too, as it is always sent; one that may be absent has none.
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
    """Assert all that holds for an answer whose metadata are GPUs, and give it.

    Args:
        code: The HTTP status.
        body: The answer's body.
    """
    info = check_backend_info(code, body)
    if info.status is Status.AVAILABLE:
        check_gpu_metadata(json.loads(info.metadata))
    else:
        check_kind(info.metadata)
    return info


def check_backend_info(code: int, body: bytes) -> BackendInfo:
    """Assert what holds for an answer of any backend, whatever its metadata tell, and give it.

    Args:
        code: The HTTP status.
        body: The answer's body.
    """
    decoded = _decode(body, "the body")
    _validate(decoded, backend_info_schema())
    fields = cast("dict[str, object]", decoded)
    expected = FIELDS + [name for name in OPTIONAL_FIELDS if name in fields]
    assert list(fields) == expected, f"its fields are {list(fields)}, and not {expected}"
    info = msgspec.convert(fields, BackendInfo)
    if isinstance(info.ip_address, str):
        ip_address(info.ip_address)  # it raises what is no address, and names it
    expected_code = OK if info.status is Status.AVAILABLE else UNAVAILABLE
    assert code == expected_code, f"the code is {code} while it is {info.status}"
    _check_metadata(info)
    return info


def _check_metadata(info: BackendInfo) -> None:
    if info.status is Status.UNAVAILABLE:
        check_message(info.metadata)
        return
    metadata = _decode(info.metadata, "the metadata")
    assert isinstance(metadata, dict), f"the metadata is no JSON object: {info.metadata!r}"


def check_gpu_metadata(metadata: Mapping[str, object]) -> None:
    """Assert that metadata are those of a node with GPUs: our fields in their order, no other."""
    schema = backend_info_schema()
    _validate(metadata, {"$ref": "#/$defs/GpuInventoryMetadata", "$defs": schema["$defs"]})
    assert list(metadata) == METADATA_FIELDS, "these fields of the metadata, in this order"
    gpus = cast("list[dict[str, Any]]", metadata["gpus"])
    assert all(list(gpu) == GPU_FIELDS for gpu in gpus), "these fields of a GPU, in this order"
    assert metadata["gpu_count"] == len(gpus), "`gpu_count` counts the GPUs"
    free = sum(gpu["is_free"] for gpu in gpus)
    assert metadata["free_gpu_count"] == free, "`free_gpu_count` counts the free ones"


def check_kind(message: str) -> None:
    """Assert that a failure's sentence begins with a kind of failure that this package has."""
    assert message.partition(": ")[0] in KINDS, f"none of {KINDS} is the kind of {message!r}"


def _decode(text: str | bytes, what: str) -> object:
    try:
        utf_8 = text.decode() if isinstance(text, bytes) else text
        return cast("object", json.loads(utf_8, parse_constant=_no_constant))
    except ValueError as exc:
        raise AssertionError(f"{what} is not JSON: {text!r}") from exc


def _validate(value: object, schema: Mapping[str, object]) -> None:
    jsonschema.validate(value, schema, cls=Draft202012Validator)


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")
