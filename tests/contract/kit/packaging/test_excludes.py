"""The packages that the image leaves out: everything works without them."""

import re
import subprocess
import sys
from collections.abc import Callable
from importlib.metadata import packages_distributions
from pathlib import Path

from tests.contract.process.service import Service

REQUIREMENTS = Path(__file__).parents[4] / "requirements"

RUN = """
import sys
sys.modules.update(dict.fromkeys({modules!r}))
{rest}
"""

COMMAND = """
sys.argv[1:3] = []  # -m dstack_backend
from dstack_backend.app.cli.main import program
program()
"""

IMPORTS = """
import importlib, pkgutil
import apprise, dstack_backend
for each in pkgutil.walk_packages(dstack_backend.__path__, "dstack_backend."):
    if "testing" not in each.name and not each.name.endswith("__main__"):
        importlib.import_module(each.name)
assert apprise.Apprise.instantiate("mailtos://user:password@mail.example.org")
"""


def _names(file: str) -> set[str]:
    return set(re.findall(r"^[a-z][\w-]*", (REQUIREMENTS / file).read_text(), re.MULTILINE))


def _without(rest: str) -> tuple[str, ...]:
    """Return the command of a Python that lacks the excluded packages and runs `rest`."""
    excluded = _names("excludes.txt")
    modules = [
        module
        for module, names in packages_distributions().items()
        if excluded & {each.lower().replace("_", "-") for each in names}
    ]
    return (sys.executable, "-c", RUN.format(modules=modules, rest=rest))


def test_excluded_packages_are_dependencies_and_not_in_the_image() -> None:
    """A name that nothing requires any more leaves the list."""
    excluded = _names("excludes.txt")
    assert excluded <= _names("dev.txt")
    assert not excluded & _names("service.txt")


def test_every_module_can_be_imported_without_the_excluded_packages() -> None:
    """Also all services of Apprise, which is loaded when a message is sent."""
    done = subprocess.run(_without(IMPORTS), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_service_and_status_work_without_the_excluded_packages(
    serve: Callable[..., Service],
) -> None:
    """The page and OpenAPI load their libraries on the first request, `status` loads rich."""
    service = serve(python=_without(COMMAND))
    for path in ("/", "/status", "/metrics", "/schema/openapi.json"):
        assert service.ask(path).code == 200, service.log
    assert "Traceback" not in service.log
    command = [*_without(COMMAND), "-m", "dstack_backend", "status", service.url("")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert "unavailable" in done.stdout, done.stderr
    assert done.stderr == ""
