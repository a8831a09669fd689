"""Mutation test of the domain: the unit tests must fail for each small change of the code.

    python -m tools.mutation [src/domain/FILE.py ...]

It works in a copy of the tree. For each mutant of cosmic-ray a process is forked that has loaded
the libraries, but not the domain: a new process would need longer than most mutants survive.
Survivors are printed. Any that is not in `tools/equivalent_mutants.py` makes the exit code 1.
"""

import re
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from tools.equivalent_mutants import reason_of
from tools.mutants import Mutant, mutants_of
from tools.trial import copy_tree, pass_unchanged, survives

__all__ = ["main"]

DOMAIN = Path("src/domain")

NOISE = re.compile(
    r"ReplaceBinaryOperator_BitOr_.*"  # `str | None`: only types are joined with it
    r"|ReplaceBinaryOperator_.*_(BitAnd|BitOr|BitXor|LShift|RShift)"  # no bitwise arithmetic
    r"|ReplaceComparisonOperator_(Is_Eq|Eq_Is|IsNot_NotEq|NotEq_IsNot)"  # members of enums, None
)
"""Operators of cosmic-ray whose mutants cannot run, or always equal the original."""

NO_CODE = {"__init__.py", "ports.py"}
"""Files without code: names and signatures."""


def main(names: Sequence[str]) -> None:
    """Test all mutants of these files, by default of the whole domain."""
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="mutation-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        copy_tree(folder)
        if not pass_unchanged(folder):
            sys.exit("the unit tests do not pass without any mutant")
        files = [Path(each) for each in names] or sorted(DOMAIN.rglob("*.py"))
        paths = [str(each) for each in files if each.name not in NO_CODE]
        tried = [each for each in mutants_of(folder, paths) if not NOISE.fullmatch(each.operator)]
        print(f"{len(tried)} mutants, about a second for each ...", flush=True)
        survivors = [each for each in tried if is_alive(folder, each)]
    print(f"{(time.monotonic() - started) / 60:.0f} minutes")
    report(len(tried), survivors)


def is_alive(folder: Path, mutant: Mutant) -> bool:
    """Test a mutant, and print it where it survives."""
    file = folder / mutant.path
    original = file.read_text()
    file.write_text(mutant.code)
    try:
        alive = survives(folder)
    finally:
        file.write_text(original)
    if alive:
        print(f"survived: {mutant}\n    {reason_of(mutant)}", flush=True)
    return alive


def report(tried: int, survivors: Sequence[Mutant]) -> None:
    """Print the result; exit with 1 where a mutant survived unexpectedly."""
    unexpected = [mutant for mutant in survivors if not reason_of(mutant)]
    print(
        f"{tried} mutants: {tried - len(survivors)} killed, {len(survivors)} survived, "
        f"{len(unexpected)} of these without a known reason"
    )
    sys.exit(1 if unexpected else 0)


if __name__ == "__main__":
    main(sys.argv[1:])
