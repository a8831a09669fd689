"""Mutants of the domain that no test can tell from the original, each with its reason."""

from pathlib import Path

from tools.mutants import Mutant

__all__ = ["reason_of"]

SHORT = "no interval is longer than a day, so that any bound from 17 on has the same effect"
TURNS = "what contradicts is counted one by one, and turns the status once it is enough"
INSIDE = "the place never passes the number of spans"
ADJOINING = "spans adjoin: the next begins where a slot ends at the latest, and adds nothing there"
MEMORY = "a matter of memory: msgspec does not track what can be in no cycle either way"

EQUIVALENT = {
    ("monitor.py", "wait = FIRST_RETRY * 2.0 ** min(failures - 1, 29)"): SHORT,
    ("monitor.py", "wait = FIRST_RETRY * 2.0 ** min(failures - 1, 31)"): SHORT,
    (
        "monitor.py",
        "return check.result if streak == threshold or lapsed else state.standing",
    ): TURNS,
    (
        "gpu_model.py",
        "usable = name.isprintable() and 0 != len(name) <= _LONGEST_NAME",
    ): "a length is never below zero",
    (
        "backend_info.py",
        "available = status.status <= Status.AVAILABLE",
    ): "there are two statuses, and `available` sorts before `unavailable`",
    (
        "status.py",
        """return f"{count} {'GPU' if count <= 1 else 'GPUs'}, {inventory.free_count} free\"""",
    ): "a count of none was answered above",
    (
        "history.py",
        "edges = [since + (until - since) * number // count for number in range(count + 1)]",
    ): "a matter of less than a microsecond, and the slots still adjoin",
    (
        "history.py",
        "for end, (_, next_known) in zip(begins, marks, strict=False):",
    ): "both are of one length, as one is made from the other",
    (
        "history.py",
        "while position != len(parts) and parts[position].start < end:",
    ): INSIDE,
    (
        "history.py",
        "while position < len(parts) and parts[position].start <= end:",
    ): ADJOINING,
    (
        "history.py",
        "while position < len(parts) and parts[position].start != end:",
    ): ADJOINING,
    (
        "history.py",
        "while position < len(parts) and parts[position].start is not end:",
    ): ADJOINING,
    ("history.py", "if part.end >= end:"): ADJOINING,
    ("node_type.py", "if len(names) != 1:"): "a set of none was answered above",
    ("moment.py", "class Moment(Struct, frozen=True, gc=True):"): MEMORY,
    ("inventory.py", "class Gpu(Struct, frozen=True, kw_only=True, gc=True):"): MEMORY,
    ("backend_info.py", "class GpuMetadata(Struct, frozen=True, kw_only=True, gc=True):"): MEMORY,
}
"""The reason, by file and by the line as the mutant has it."""


def reason_of(mutant: Mutant) -> str | None:
    """Say why a mutant may survive; `None`: it may not."""
    return EQUIVALENT.get((Path(mutant.path).name, mutant.changed))
