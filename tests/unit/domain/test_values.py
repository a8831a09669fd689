"""What all structs of the domain have in common."""

import importlib
import pkgutil
from inspect import Parameter, signature

import pytest
from msgspec import Struct

from dstack_backend import domain

MODULES = [
    importlib.import_module(found.name)
    for found in pkgutil.walk_packages(domain.__path__, f"{domain.__name__}.")
]
STRUCTS: dict[str, type[Struct]] = {
    name: value
    for module in MODULES
    for name in module.__all__
    if isinstance(value := getattr(module, name), type) and issubclass(value, Struct)
}
POSITIONAL = {
    *("BackendStatus", "Change", "CheckFailure", "GpuChange", "GpuEntry", "GpuUse"),
    *(
        "HealthResponse",
        "Incident",
        "MissingGpu",
        "Span",
        "StoredGpus",
        "StoredHistory",
        "Timestamp",
    ),
    *("TrackedGpu", "Uptime", "UsePeriod", "UseReport", "UseShare"),
}
"""Structs of few fields, whose meaning is clear without their names."""


@pytest.mark.parametrize("name", STRUCTS)
def test_struct_is_frozen(name: str) -> None:
    """It can be shared by checks, threads and observers."""
    assert STRUCTS[name].__struct_config__.frozen


@pytest.mark.parametrize("name", sorted(STRUCTS.keys() - POSITIONAL))
def test_struct_of_many_fields_takes_keywords_only(name: str) -> None:
    """Two texts or two numbers in the wrong order would pass every type checker."""
    kinds = {each.kind for each in signature(STRUCTS[name]).parameters.values()}
    assert kinds == {Parameter.KEYWORD_ONLY}


@pytest.mark.parametrize("name", sorted(POSITIONAL))
def test_struct_of_few_fields_takes_positions(name: str) -> None:
    """Embedding backends rely on the order."""
    kinds = {each.kind for each in signature(STRUCTS[name]).parameters.values()}
    assert kinds == {Parameter.POSITIONAL_OR_KEYWORD}
