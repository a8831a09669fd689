"""Mutants of the domain that are equivalent to the original, each with the reason."""

from tools.mutants import Mutant

__all__ = ["reason_of"]

SHORT = "no interval is longer than a day, so that any bound from 17 on has the same effect"
COUNTED = "contradicting results are counted one by one, and take effect at the threshold"
BOUNDS = "the position never passes the number of spans"
ADJOINING = "spans adjoin: the next one starts at the end of the slot or earlier, and adds nothing"
MEMORY = "only memory: msgspec does not track what cannot be in a reference cycle"

EQUIVALENT = {
    ("monitor.py", "delay = FIRST_RETRY * 2.0 ** min(failures - 1, 29)"): SHORT,
    ("monitor.py", "delay = FIRST_RETRY * 2.0 ** min(failures - 1, 31)"): SHORT,
    (
        "monitor.py",
        "return check.result if streak == threshold or has_lapsed else state.effective_result",
    ): COUNTED,
    (
        "gpu/model.py",
        "usable = name.isprintable() and 0 != len(name) <= _MAX_NAME_LENGTH",
    ): "a length is never negative",
    (
        "backend_info.py",
        (
            "return HealthResponse(status.status <= Status.AVAILABLE, "
            "encode(describe(status, identity)))"
        ),
    ): "there are two statuses, and `available` sorts before `unavailable`",
    (
        "notification/rules.py",
        "elif entry.kind >= EntryKind.GPU_REPLACED:",
    ): "no other kind of an entry with a GPU sorts after it",
    (
        "status.py",
        "has_resources = status.inventory is not None and  status.inventory.is_empty",
    ): "it is only compared for equality, and between available statuses",
    (
        "gpu/inventory.py",
        """return f"{count} {'GPU' if count <= 1 else 'GPUs'}, {self.free_count} free\"""",
    ): "a count of 0 has returned before",
    (
        "history/uptime.py",
        "edges = [since + (until - since) * number // count for number in range(count + 1)]",
    ): "a difference of less than a microsecond, and the slots still adjoin",
    (
        "history/uptime.py",
        "for end, (_, next_state) in zip(starts, marks, strict=False):",
    ): "both have the same length, as one is made from the other",
    (
        "history/uptime.py",
        "while position != len(parts) and parts[position].start < end:",
    ): BOUNDS,
    (
        "history/uptime.py",
        "while position < len(parts) and parts[position].start <= end:",
    ): ADJOINING,
    (
        "history/uptime.py",
        "while position < len(parts) and parts[position].start != end:",
    ): ADJOINING,
    (
        "history/uptime.py",
        "while position < len(parts) and parts[position].start is not end:",
    ): ADJOINING,
    ("history/uptime.py", "if part.end >= end:"): ADJOINING,
    ("gpu/node_type.py", "if len(names) != 1:"): "an empty set has returned before",
    ("timestamp.py", "class Timestamp(Struct, frozen=True, gc=True):"): MEMORY,
    ("gpu/inventory.py", "class Gpu(Struct, frozen=True, kw_only=True, gc=True):"): MEMORY,
    ("gpu/inventory.py", "class GpuMetadata(Struct, frozen=True, kw_only=True, gc=True):"): MEMORY,
}
"""The reason, by file and changed line."""


def reason_of(mutant: Mutant) -> str | None:
    """Return why a mutant may survive; `None` where it may not."""
    return EQUIVALENT.get((mutant.path.removeprefix("src/domain/"), mutant.changed))
