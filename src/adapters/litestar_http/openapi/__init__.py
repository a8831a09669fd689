"""The OpenAPI document: descriptions and examples, which the code of the real bodies makes."""
