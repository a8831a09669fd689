"""Writes the JSON Schema of BackendInfo, as the code has it."""

from pathlib import Path

import msgspec

from dstack_backend.domain import BackendInfo, Metadata

SCHEMA = Path("docs/backend-info.schema.json")


def schema() -> bytes:
    """Give the schema. `$defs` also holds that of the metadata, which is encoded in a string."""
    (info, _), defs = msgspec.json.schema_components(
        [BackendInfo, Metadata], ref_template="#/$defs/{name}"
    )
    whole = {"$schema": "https://json-schema.org/draft/2020-12/schema", **info, "$defs": defs}
    return msgspec.json.format(msgspec.json.encode(whole)) + b"\n"


if __name__ == "__main__":
    SCHEMA.write_bytes(schema())
