"""Validation of responses against the OpenAPI document of their application."""

from functools import cache
from typing import Any

import jsonschema
from litestar.testing import TestClient

from dstack_backend.adapters.litestar_http import HealthApp

__all__ = ["validate"]


@cache
def _document(client: TestClient[HealthApp]) -> Any:
    return client.get("/schema/openapi.json").json()


@cache
def _validator(client: TestClient[HealthApp], path: str, code: int) -> Any:
    document = _document(client)
    content = document["paths"][path]["get"]["responses"][str(code)]["content"]
    schema = {**content["application/json"]["schema"], "components": document["components"]}
    return jsonschema.Draft202012Validator(schema)


def validate(client: TestClient[HealthApp], path: str, query: str = "") -> Any:
    """Assert that the response to GET is valid for the document, and return its body."""
    response = client.get(path + query)
    body = response.json()
    _validator(client, path, response.status_code).validate(body)
    return body
