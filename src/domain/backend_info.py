"""BackendInfo: what the worker reads from `GET /health`.

The contract's version is a constant and has nothing to do with the package's. `metadata` is a
string: an encoded JSON object while available, one sentence while not.
"""

from typing import Literal

import msgspec
from msgspec import UNSET, Struct, UnsetType

from dstack_backend.domain.gpu.inventory import Gpu, GpuInventory
from dstack_backend.domain.gpu.model import model_of
from dstack_backend.domain.status import BackendStatus, Status

__all__ = [
    "DSTACK",
    "DSTACK_TOPIC",
    "BackendInfo",
    "GpuMetadata",
    "HealthResponse",
    "Metadata",
    "NodeIdentity",
    "describe",
    "describe_inventory",
    "encode",
    "encode_health",
]


DSTACK = "GpuSource"
"""What people call our own source of GPUs."""

DSTACK_TOPIC = "dstack-gpu-monitor"
"""What a backend beside DStack reports on."""


class NodeIdentity(Struct, frozen=True, kw_only=True):
    """Who the backend is to the network.

    Attributes:
        topic: What the backend reports on. A backend that embeds this library brings its own.
        source: What people call the source of GPUs. It is shown on the page and not sent.
        pubkeys: Public keys of the node, if it has any.
        ip_address: Where the node is reached, if that is told.
    """

    topic: str = DSTACK_TOPIC
    source: str = DSTACK
    pubkeys: tuple[str, ...] = ()
    ip_address: str | UnsetType = UNSET


class GpuMetadata(Struct, frozen=True, kw_only=True, gc=False):
    """One GPU in the metadata: the source's four fields as they were, and the model.

    Attributes:
        slot: PCI address.
        product_id: PCI vendor and device.
        description: Device name.
        is_free: Nobody uses it.
        model: Marketing name; `None` where nobody knows it.
    """

    slot: str
    product_id: str
    description: str
    is_free: bool
    model: str | None


class Metadata(Struct, frozen=True, kw_only=True):
    """What the metadata holds while the node is available.

    Attributes:
        gpu_count: How many GPUs there are.
        gpus: The GPUs.
        allow_attach_all: Whether one machine may have all GPUs attached at once.
        free_gpu_count: How many GPUs nobody uses.
    """

    gpu_count: int
    gpus: tuple[GpuMetadata, ...]
    allow_attach_all: bool
    free_gpu_count: int


class BackendInfo(Struct, frozen=True, kw_only=True):
    """The answer that the worker reads. The order of the fields is part of the contract.

    Attributes:
        version: Version of this contract.
        topic: What the backend reports on.
        pubkeys: Public keys of the node.
        status: Available or unavailable.
        metadata: `Metadata` as JSON while available, one sentence while not.
        ip_address: Where the node is reached; absent where that is not told.
    """

    version: Literal["1.0.0"] = "1.0.0"
    topic: str
    pubkeys: tuple[str, ...]
    status: Status
    metadata: str
    ip_address: str | UnsetType = UNSET


class HealthResponse(Struct, frozen=True):
    """BackendInfo in its encoded form, made once and handed out as often as it is asked for.

    Attributes:
        available: The status in it.
        body: Its bytes: JSON in UTF-8.
    """

    available: bool
    body: bytes


_encoder = msgspec.json.Encoder()


def describe(status: BackendStatus, identity: NodeIdentity | None = None) -> BackendInfo:
    """Turn a status into the answer that the worker reads."""
    identity = identity or NodeIdentity()
    if status.inventory is None:
        metadata = status.message
    else:
        metadata = _encoder.encode(describe_inventory(status.inventory)).decode()
    return BackendInfo(
        topic=identity.topic,
        pubkeys=identity.pubkeys,
        status=status.status,
        metadata=metadata,
        ip_address=identity.ip_address,
    )


def describe_inventory(inventory: GpuInventory) -> Metadata:
    """Turn an inventory into the metadata that it makes."""
    return Metadata(
        gpu_count=len(inventory.gpus),
        gpus=tuple(_describe_gpu(gpu) for gpu in inventory.gpus),
        allow_attach_all=inventory.allow_attach_all,
        free_gpu_count=inventory.free_count,
    )


def _describe_gpu(gpu: Gpu) -> GpuMetadata:
    return GpuMetadata(
        slot=_encodable(gpu.slot),
        product_id=_encodable(gpu.product_id),
        description=_encodable(gpu.description),
        is_free=gpu.is_free,
        model=model_of(gpu),
    )


def _encodable(text: str) -> str:
    # A source of GPUs that reads files may hand over lone surrogates (os.fsdecode makes them).
    return text if text.isascii() else text.encode(errors="replace").decode()


def encode(info: BackendInfo) -> bytes:
    """Give the bytes of `GET /health`'s body: JSON in UTF-8."""
    return _encoder.encode(info)


def encode_health(status: BackendStatus, identity: NodeIdentity | None = None) -> HealthResponse:
    """Turn a status into the encoded answer."""
    available = status.status is Status.AVAILABLE
    return HealthResponse(available, encode(describe(status, identity)))
