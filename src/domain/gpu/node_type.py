"""The node type under which the network knows a node: `node-H200x8`, model and count.

1. The model's short name is what stands before its form and memory: the words up to the first with
   a digit, written together. `H200 SXM 141GB` is `H200`, `RTX PRO 6000 Blackwell Server Edition` is
   `RTXPRO6000`. A name that stands for two models (`A2 / A16`) has none.
2. All GPUs count, free or not: a node's type does not change with its use.
3. A type names one model. There is none for a node without GPUs, with a GPU whose model nobody
   knows, or with GPUs of different short names; then the operator chooses.
"""

from enum import Enum

from dstack_backend.domain.gpu.inventory import Gpu, GpuInventory
from dstack_backend.domain.gpu.model import model_of

__all__ = ["NoNodeType", "node_type"]


class NoNodeType(Enum):
    """Why a node has no type; the value says it to people."""

    NO_GPUS = "there are no GPUs"
    UNKNOWN_MODEL = "nobody knows the model of each GPU"
    MIXED_MODELS = "the GPUs are of different models"


def node_type(inventory: GpuInventory) -> str | NoNodeType:
    """Give the node type, or why there is none."""
    names = {_short_name(gpu) for gpu in inventory.gpus}
    if not names:
        return NoNodeType.NO_GPUS
    if None in names:
        return NoNodeType.UNKNOWN_MODEL
    if len(names) > 1:
        return NoNodeType.MIXED_MODELS
    return f"node-{names.pop()}x{len(inventory.gpus)}"


def _short_name(gpu: Gpu) -> str | None:
    words: list[str] = []
    for word in (model_of(gpu) or "").split():
        words.append(word)
        if any(char.isdigit() for char in word):
            break
    else:
        return None
    name = "".join(words)
    # The name may come from the source's own text: nothing but letters and digits goes on.
    usable = name.isascii() and name.isalnum() and "/" not in (model_of(gpu) or "")
    return name if usable else None
