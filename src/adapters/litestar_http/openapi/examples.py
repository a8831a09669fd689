"""Examples for OpenAPI, made from the values that they show."""

from typing import Any

import msgspec
from litestar.openapi.datastructures import ResponseSpec
from litestar.openapi.spec import Example

__all__ = ["json_spec"]


class _Exact(Example):
    """An example that keeps its nulls; Litestar's own leaves out what is None, at any depth."""

    def to_schema(self) -> dict[str, Any]:
        return {"summary": self.summary, "value": self.value}


def _examples(**values: object) -> list[Example]:
    return [
        _Exact(summary=name, value=msgspec.json.decode(msgspec.json.encode(value)))
        for name, value in values.items()
    ]


def json_spec(of: Any, text: str, **examples: object) -> ResponseSpec:
    """Describe an answer in JSON: its type, its meaning, and examples by their names."""
    return ResponseSpec(
        data_container=of,
        description=text,
        generate_examples=False,
        examples=_examples(**examples),
    )
