"""A BackendInfo as lines for people, for `check --pretty`."""

from dstack_backend.app.cli.output import format_table
from dstack_backend.domain import CheckResult, Gpu, GpuInventory, NodeIdentity, assess, describe
from dstack_backend.domain.formatting import cut

__all__ = ["as_text"]

MAX_CELL, MAX_MESSAGE = 40, 300


def as_text(result: CheckResult, identity: NodeIdentity) -> str:
    """Return the BackendInfo of the result of a check, a line for each field, and its GPUs."""
    status = assess(result)
    info = describe(status, identity)
    rows = [
        ("status", f"{info.status}: {cut(status.message, MAX_MESSAGE)}"),
        ("topic", f"{info.topic}, version {info.version}"),
        *(("pubkeys" if number == 0 else "", key) for number, key in enumerate(info.pubkeys)),
    ]
    if not info.pubkeys:
        rows.append(("pubkeys", "none"))
    if info.ip_address:
        rows.append(("ip_address", info.ip_address))
    if not isinstance(result, GpuInventory):
        return format_table(rows)
    rows.append(("allow_attach_all", "yes" if result.allow_attach_all else "no"))
    header = ("slot", "model", "state", "product id", "description")
    gpus = format_table([header, *map(_row, result.gpus)]) if result.gpus else ""
    return "\n\n".join(filter(None, [format_table(rows), gpus]))


def _row(gpu: Gpu) -> tuple[str, ...]:
    texts = (gpu.slot, gpu.model or "-", gpu.product_id, gpu.description)
    slot, model, product_id, description = (cut(each, MAX_CELL) for each in texts)
    return slot, model, "free" if gpu.is_free else "in use", product_id, description
