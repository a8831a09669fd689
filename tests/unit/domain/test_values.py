"""What all values of the domain have in common."""

from inspect import Parameter, signature

import pytest
from msgspec import Struct

from dstack_backend import domain

STRUCTS = {
    name: value
    for name in domain.__all__
    if isinstance(value := getattr(domain, name), type) and issubclass(value, Struct)
}
BY_POSITION = STRUCTS.keys() & {
    *("BackendStatus", "Change", "CheckFailure", "HealthResponse", "Timestamp", "Span", "Uptime"),
}
"""The few whose fields explain themselves: a failure is a reason and a detail."""


@pytest.mark.parametrize("name", STRUCTS)
def test_a_value_can_be_shared_because_nobody_can_change_it(name: str) -> None:
    """Two checks, a thread and an observer may hold the same one."""
    assert STRUCTS[name].__struct_config__.frozen


@pytest.mark.parametrize("name", sorted(STRUCTS.keys() - BY_POSITION))
def test_a_value_of_many_fields_is_written_with_their_names(name: str) -> None:
    """Two texts or two numbers that change places would otherwise pass every type checker."""
    kinds = {each.kind for each in signature(STRUCTS[name]).parameters.values()}
    assert kinds == {Parameter.KEYWORD_ONLY}


@pytest.mark.parametrize("name", sorted(BY_POSITION))
def test_a_value_of_few_fields_is_written_without(name: str) -> None:
    """Their order is part of what an embedding backend relies on."""
    kinds = {each.kind for each in signature(STRUCTS[name]).parameters.values()}
    assert kinds == {Parameter.POSITIONAL_OR_KEYWORD}
