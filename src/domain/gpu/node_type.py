"""The node type under which the network registers a node: `node-H200x8`, model and count.

1. The short name of a model is the part before its form factor and memory: the words up to the
   first that contains a digit, joined. `H200 SXM 141GB` becomes `H200`, `RTX PRO 6000 Blackwell
   Server Edition` becomes `RTXPRO6000`. A name that stands for two models (`A2 / A16`) has none.
2. All GPUs count, free or not: the node type does not change with the use of the node.
3. A node type names one model. There is none for a node without GPUs, with a GPU of an unknown
   model, or with GPUs of different short names. The operator then chooses one.
"""

from enum import Enum

from dstack_backend.domain.gpu.inventory import GpuInventory

__all__ = ["NoNodeType", "node_type"]


class NoNodeType(Enum):
    """Why a node has no type. It is not a `str`, so it cannot be taken for a type."""

    NO_GPUS = "there are no GPUs"
    UNKNOWN_MODEL = "the model of a GPU is not known"
    MIXED_MODELS = "the GPUs are of different models"

    @property
    def message(self) -> str:
        """The same for people."""
        return self.value


def node_type(inventory: GpuInventory) -> str | NoNodeType:
    """Return the node type, such as `node-H200x8`, or why there is none."""
    names = {_short_name(gpu.model or "") for gpu in inventory.gpus}
    if not names:
        return NoNodeType.NO_GPUS
    if None in names:
        return NoNodeType.UNKNOWN_MODEL
    if len(names) > 1:
        return NoNodeType.MIXED_MODELS
    return f"node-{names.pop()}x{len(inventory.gpus)}"


def _short_name(model: str) -> str | None:
    words: list[str] = []
    for word in model.split():
        words.append(word)
        if any(char.isdigit() for char in word):
            break
    else:
        return None
    name = "".join(words)
    # The model may come from the source's text: only letters and digits are accepted.
    is_valid = name.isascii() and name.isalnum() and "/" not in model
    return name if is_valid else None
