"""Responses in the OpenAPI document. The examples are made by the code of the real bodies."""

from dataclasses import dataclass
from typing import Any

import msgspec
from litestar.openapi.datastructures import ResponseSpec
from litestar.openapi.spec import Example, OpenAPIMediaType, OpenAPIType, Operation, Schema

__all__ = ["json_spec", "negotiated_text", "text_spec"]


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


def negotiated_text(media_type: str, description: str) -> type[Operation]:
    """Return the operation of a route whose response may have another type, which is text.

    Litestar has one type of body for a status.
    """

    @dataclass
    class NegotiatedOperation(Operation):
        def __post_init__(self) -> None:
            content = getattr((self.responses or {}).get("200"), "content", None)
            if content is not None:
                schema = Schema(type=OpenAPIType.STRING, description=description)
                content[media_type] = OpenAPIMediaType(schema=schema)

    return NegotiatedOperation
