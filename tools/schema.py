"""Write the JSON Schema of BackendInfo."""

from pathlib import Path

import msgspec

from dstack_backend.testing.contracts.backend_info import backend_info_schema

SCHEMA = Path("docs/backend-info.schema.json")


def schema() -> bytes:
    """Return the bytes of the file."""
    return msgspec.json.format(msgspec.json.encode(backend_info_schema())) + b"\n"


if __name__ == "__main__":
    SCHEMA.write_bytes(schema())
