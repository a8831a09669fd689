"""What a command and the domain import: it decides how fast they start, and what they need."""

import json
import subprocess
import sys

import pytest

from dstack_backend.app.cli.commands import COMMANDS

SERVER = {
    *("anyio", "dependency_injector", "granian", "httpcore", "httpx", "jinja2", "litestar"),
    *("markupsafe", "prometheus_client", "rich", "uvloop"),
}
SLOW = {"asyncio", "concurrent.futures", "importlib.metadata", "logging", "shtab", "sqlite3"}
DOMAIN_NEEDS_NONE = SERVER | SLOW | {"http.client", "socket", "ssl"}


def loaded_by(script: str) -> set[str]:
    """Return the modules of a fresh process after a script."""
    # Without `site`, whose hooks load modules of their own, the paths must be handed over.
    code = f"import sys; sys.path[:] = {sys.path!r}; {script}"
    code += "; import json; print(json.dumps(sorted(sys.modules)))"
    done = subprocess.run([sys.executable, "-S", "-c", code], capture_output=True, check=True)
    return set(json.loads(done.stdout.splitlines()[-1]))


def test_domain_loads_nothing_of_the_server() -> None:
    """It loads no library but msgspec, and no event loop."""
    loaded = loaded_by("import dstack_backend.domain")
    assert {"dstack_backend.domain", "msgspec"} <= loaded
    assert not loaded & (DOMAIN_NEEDS_NONE | {"dstack_backend.adapters", "dstack_backend.app"})


@pytest.mark.parametrize("command", COMMANDS)
def test_parsing_a_command_line_loads_no_library(command: str) -> None:
    """Each command starts in the time of `argparse`; `healthcheck` runs every few seconds."""
    loaded = loaded_by(
        f"from dstack_backend.app.cli import main, parser; parser.parse_args([{command!r}])"
    )
    assert "dstack_backend.app.cli.commands" in loaded
    assert f"dstack_backend.app.{COMMANDS[command].module}" not in loaded
    assert not loaded & (SERVER | SLOW | {"msgspec", "ssl"})
    assert not {each for each in loaded if each.startswith("dstack_backend.adapters")}


def test_healthcheck_loads_an_http_client_and_no_more() -> None:
    """It asks, and ends with 1 where nothing listens."""
    loaded = loaded_by(
        "import os; os.environ['LISTEN_ADDR'] = '127.0.0.1:1'\n"
        "from dstack_backend.app.cli.main import main\n"
        "try: main(['healthcheck'])\n"
        "except SystemExit as end: assert end.code == 1\n"
        "True"
    )
    assert "http.client" in loaded
    assert not loaded & (SERVER | SLOW | {"msgspec", "dstack_backend.domain"})
