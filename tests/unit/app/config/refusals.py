"""What the tests of settings share: loading everything, and the form of an error."""

import re
from collections.abc import Mapping
from pathlib import Path

from dstack_backend.app.config.settings import load, load_dstack
from dstack_backend.app.errors import UserError

__all__ = ["CANARY", "assert_is_helpful", "load_all", "refused"]

CANARY = "c4n4ry"
MESSAGE = re.compile(
    r"(?P<variable>[A-Z_]+) \((?P<option>--[a-z-]+)\): (?P<fault>.+); for example"
    r" (?P<again>[A-Z_]+)=(?P<example>\S+)"
)


def load_all(environ: Mapping[str, str], options: Mapping[str, str] | None = None) -> str:
    """Load all settings, and return them as a log or a traceback would show them."""
    loaded = load(environ, options or {}), load_dstack(environ, options or {})
    return f"{loaded!r} {loaded[1].address.shown}"


def refused(environ: Mapping[str, str], options: Mapping[str, str] | None = None) -> str | None:
    """Return the message about a bad setting; `None` where all are good."""
    try:
        load_all(environ, options)
    except UserError as exc:
        return str(exc)
    return None


def assert_is_helpful(message: str, variable: str) -> None:
    """Assert that a message has variable, option, fault, and an example that is accepted."""
    assert message.isprintable()
    assert len(message) < 600  # 40 characters of a value, each escaped
    match = MESSAGE.fullmatch(message)
    assert match is not None, message
    assert match["variable"] == match["again"] == variable
    assert match["option"] == "--" + variable.lower().replace("_", "-")
    if variable.endswith("_FILE"):
        assert Path(match["example"]).is_absolute()  # it need not exist on this machine
    else:
        assert refused({variable: match["example"]}) is None
