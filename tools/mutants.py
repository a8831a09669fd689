"""The mutants of cosmic-ray for some files."""

import importlib
import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec
from msgspec import Struct

__all__ = ["Mutant", "mutants_of"]

CONFIGURATION = """
[cosmic-ray]
module-path = {paths}
timeout = 1
excluded-modules = []
test-command = "false"
[cosmic-ray.distributor]
name = "local"
"""


class Mutant(Struct, frozen=True, kw_only=True):
    """A file with one change.

    Attributes:
        path: The file, relative to the root of the tree.
        operator: Name of the change.
        line: The original line.
        number: Number of the line.
        code: The whole changed file.
    """

    path: str
    operator: str
    line: str
    number: int
    code: str

    @property
    def changed(self) -> str:
        """The changed line."""
        return self.code.splitlines()[self.number - 1].strip()

    def __str__(self) -> str:
        return f"{self.path}:{self.number}: {self.operator}: {self.line} -> {self.changed}"


class _Change(Struct, frozen=True):
    """A mutation in the dump of cosmic-ray: the fields that are used here."""

    module_path: str
    operator_name: str
    occurrence: int
    start_pos: tuple[int, int]


def mutants_of(folder: Path, paths: Sequence[str]) -> Iterator[Mutant]:
    """Yield the mutants of these files of a tree."""
    configuration = folder / "mutation.toml"
    configuration.write_text(CONFIGURATION.format(paths=json.dumps(list(paths))))
    _cosmic_ray(folder, "init", configuration.name, "mutation.sqlite")
    for line in _cosmic_ray(folder, "dump", "mutation.sqlite").splitlines():
        item = json.loads(line)[0]
        yield from _mutant(folder, msgspec.convert(item["mutations"][0], _Change))


def _cosmic_ray(folder: Path, *arguments: str) -> str:
    command = [sys.executable, "-m", "cosmic_ray.cli", *arguments]
    done = subprocess.run(command, cwd=folder, text=True, stdout=subprocess.PIPE, check=True)  # noqa: S603 - the command is above
    return done.stdout


def _mutant(folder: Path, change: _Change) -> Iterator[Mutant]:
    # cosmic-ray has no types: imported this way it is `Any`.
    operators = importlib.import_module("cosmic_ray.plugins")
    mutating = importlib.import_module("cosmic_ray.mutating")
    source = (folder / change.module_path).read_text()
    operator = operators.get_operator(change.operator_name)()
    code = mutating.mutate_code(source, operator, change.occurrence)
    number, _ = change.start_pos
    if code is not None:
        line = source.splitlines()[number - 1].strip()
        yield Mutant(
            path=change.module_path,
            operator=change.operator_name.removeprefix("core/"),
            line=line,
            number=number,
            code=str(code),
        )
