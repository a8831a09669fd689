"""What holds for each answer of `/health`, whoever gives it."""

import inspect
import json
import re
from ipaddress import ip_address
from typing import Any

import jsonschema
import msgspec
from jsonschema import Draft202012Validator

from dstack_backend.domain.backend_info import BackendInfo, Metadata
from dstack_backend.domain.failure import Reason

__all__ = ["backend_info_schema", "check_answer", "check_sentence"]

OK, UNAVAILABLE = 200, 503

FIELDS = ["version", "topic", "pubkeys", "status", "metadata"]
OPTIONAL_FIELDS = ["ip_address"]
METADATA_FIELDS = ["gpu_count", "gpus", "allow_attach_all", "free_gpu_count"]
GPU_FIELDS = ["slot", "product_id", "description", "is_free", "model"]

LONGEST_SENTENCE = 200

_KINDS = "|".join(sorted({reason.kind for reason in Reason}))
_SENTENCE = re.compile(rf"({_KINDS}): \S.*")


def backend_info_schema() -> dict[str, Any]:
    """Give the JSON Schema of BackendInfo; `$defs` also holds that of `Metadata`.

    It is the same on every Python: docstrings are cleaned, which Python 3.13 does by itself. A
    field with a default is required too, as it is always sent; one that may be absent has none.
    """
    (info, _), defs = msgspec.json.schema_components(
        [BackendInfo, Metadata], ref_template="#/$defs/{name}"
    )
    for part in defs.values():
        part["description"] = inspect.cleandoc(part["description"])
        if "properties" in part:
            always = {name for name, field in part["properties"].items() if "default" in field}
            always.update(part["required"])
            part["required"] = [name for name in part["properties"] if name in always]
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **info, "$defs": defs}


def check_answer(code: int, body: bytes) -> BackendInfo:
    """Assert all that holds for an answer of `/health`, and give it.

    Args:
        code: The HTTP status.
        body: The answer's body.
    """
    info = json.loads(body.decode(), parse_constant=_no_constant)
    schema = backend_info_schema()
    _validate(info, schema)
    optional = [name for name in OPTIONAL_FIELDS if name in info]
    assert list(info) == FIELDS + optional, "fields in their order"
    if optional:
        ip_address(info["ip_address"])  # it raises what is no address
    assert code == (OK if info["status"] == "available" else UNAVAILABLE), "code and status agree"
    if code == OK:
        _check_metadata(json.loads(info["metadata"], parse_constant=_no_constant), schema)
    else:
        check_sentence(info["metadata"])
    return msgspec.convert(info, BackendInfo)


def _check_metadata(metadata: dict[str, Any], schema: dict[str, Any]) -> None:
    _validate(metadata, {"$ref": "#/$defs/Metadata", "$defs": schema["$defs"]})
    gpus: list[dict[str, Any]] = metadata["gpus"]
    assert list(metadata) == METADATA_FIELDS, "fields of the metadata in their order"
    assert all(list(gpu) == GPU_FIELDS for gpu in gpus), "fields of a GPU in their order"
    assert metadata["gpu_count"] == len(gpus), "the count counts the GPUs"
    assert metadata["free_gpu_count"] == sum(gpu["is_free"] for gpu in gpus), "and the free ones"


def check_sentence(sentence: str) -> None:
    """Assert that a failure's sentence is one line that a public network may read."""
    assert _SENTENCE.fullmatch(sentence), f"one sentence, `<Kind>: <what is wrong>`: {sentence!r}"
    assert sentence.isprintable(), "no line break and no control character"
    assert len(sentence) <= LONGEST_SENTENCE, "short"
    assert "://" not in sentence, "no address"
    assert not re.search(r"\d+\.\d+\.\d+\.\d+|\[?::|(^|\s)/\w", sentence), "no address and no path"
    assert not re.search(r"Errno|Error\(|Traceback|0x[0-9a-f]{6}", sentence), "no exception's text"


def _validate(value: object, schema: dict[str, Any]) -> None:
    jsonschema.validate(value, schema, cls=Draft202012Validator)


def _no_constant(name: str) -> None:
    raise AssertionError(f"{name} is not JSON")
