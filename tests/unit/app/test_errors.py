"""The error that reaches the user, and the extra that each library belongs to."""

import ast
import sys
from pathlib import Path

import pytest

import dstack_backend
from dstack_backend.app.errors import UserError, missing_extra

SOURCES = [
    path
    for room in ("adapters", "app", "domain")
    for path in sorted((Path(dstack_backend.__file__).parent / room).rglob("*.py"))
]


def libraries() -> set[str]:
    """Return the names of all libraries that the service imports, lazily or not."""
    names: set[str] = set()
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                names |= {alias.name for alias in node.names}
            if isinstance(node, ast.ImportFrom) and node.module:
                names.add(node.module)
    tops = {name.partition(".")[0] for name in names}
    return tops - sys.stdlib_module_names - {"dstack_backend"}


def test_each_library_but_msgspec_belongs_to_an_extra() -> None:
    """A missing one ends a command with the name of its extra, and not as an unexpected error."""
    found = libraries()
    assert {"litestar", "msgspec", "nostr_sdk"} <= found
    for name in found - {"msgspec"}:
        error = missing_extra(ModuleNotFoundError(name=f"{name}.part"), "serve")
        assert error is not None, name
        assert error.fault.startswith("needs the extra ")


@pytest.mark.parametrize("name", [None, "dstack_backend.nothing", "sqlite3"])
def test_other_missing_module_is_no_missing_extra(name: str | None) -> None:
    """It is an error of the program or of the installation."""
    assert missing_extra(ModuleNotFoundError(name=name), "serve") is None


def test_user_error_is_one_line_with_its_parts() -> None:
    """Without an example or a subject the line is shorter."""
    error = UserError("--limit", "not a number", "20")
    assert (error.subject, error.fault, error.example) == ("--limit", "not a number", "20")
    assert (str(error), error.exit_code) == ("--limit: not a number; for example 20", 2)
    assert str(UserError("--limit", "not a number")) == "--limit: not a number"
    assert str(UserError("", "not a number", exit_code=1)) == "not a number"
