"""Responses in the OpenAPI document. The examples are made by the code of the real bodies."""

from typing import Any

import msgspec
from litestar.openapi.datastructures import ResponseSpec
from litestar.openapi.spec import Example

__all__ = ["json_spec", "text_spec"]


class _ExactExample(Example):
    """An example that keeps its nulls; Litestar's own omits them at any depth."""

    def to_schema(self) -> dict[str, Any]:
        return {"summary": self.summary, "value": self.value}


def json_spec(body: Any, description: str, **examples: object) -> ResponseSpec:
    """Return the specification of a JSON response: type, description, and examples by name."""
    return ResponseSpec(
        data_container=body,
        description=description,
        generate_examples=False,
        examples=[
            _ExactExample(summary=name, value=msgspec.to_builtins(value))
            for name, value in examples.items()
        ],
    )


def text_spec(media_type: str, description: str, example: str) -> ResponseSpec:
    """Return the specification of a response that is text."""
    return ResponseSpec(
        data_container=str,
        description=description,
        media_type=media_type,
        generate_examples=False,
        examples=[Example(summary="text", value=example)],
    )
