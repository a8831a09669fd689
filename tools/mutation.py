"""Changes the domain in many small ways and sees that the unit tests notice each of them.

    python -m tools.mutation [FILE ...]

It works in a copy of the tree. cosmic-ray makes the mutants. For each of them a process is forked
that has the libraries loaded already but nothing of ours: a start of pytest would take longer than
most mutants live. What survives is shown; it is expected of those in `tools/equivalent_mutants.py`
only, and any other ends the run with 1.
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

DOMAIN = Path("dstack_backend/domain")

NOISE = re.compile(
    r"ReplaceBinaryOperator_BitOr_.*"  # `str | None`: nothing but types is joined with it
    r"|ReplaceBinaryOperator_.*_(BitAnd|BitOr|BitXor|LShift|RShift)"  # no number here has bits
    r"|ReplaceComparisonOperator_(Is_Eq|Eq_Is|IsNot_NotEq|NotEq_IsNot)"  # members of enums, None
)
"""Operators of cosmic-ray whose mutants cannot run, or are always the same as the original."""

NO_CODE = {"__init__.py", "ports.py"}
"""Files with nothing to run: names and signatures."""


def main(names: Sequence[str]) -> None:
    """Try all mutants of these files of the domain, by default of all."""
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="mutation-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        copy_tree(folder)
        if not pass_unchanged(folder):
            sys.exit("the unit tests do not pass without any mutant")
        modules = names or sorted(each.name for each in DOMAIN.glob("*.py"))
        paths = [str(DOMAIN / each) for each in modules if each not in NO_CODE]
        tried = [each for each in mutants_of(folder, paths) if not NOISE.fullmatch(each.operator)]
        print(f"{len(tried)} mutants, about a second for each ...", flush=True)
        survivors = [each for each in tried if lives(folder, each)]
    print(f"{(time.monotonic() - started) / 60:.0f} minutes")
    tell(len(tried), survivors)


def lives(folder: Path, mutant: Mutant) -> bool:
    """Try a mutant, and show it at once where it survives."""
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


def tell(tried: int, survivors: Sequence[Mutant]) -> None:
    """Print the figure; end with 1 where something survived that should not."""
    unexpected = [mutant for mutant in survivors if not reason_of(mutant)]
    print(
        f"{tried} mutants: {tried - len(survivors)} killed, {len(survivors)} survived, "
        f"{len(unexpected)} of these without a known reason"
    )
    sys.exit(1 if unexpected else 0)


if __name__ == "__main__":
    main(sys.argv[1:])
