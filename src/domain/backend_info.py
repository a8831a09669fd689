"""BackendInfo: the body of `GET /health`, which dephy-worker reads.

Its version is a constant of the contract and independent of the package's version. `metadata` is a
string: an encoded JSON object while available, one message while not.
"""

from typing import Literal

import msgspec
from msgspec import UNSET, Struct, UnsetType

from dstack_backend.domain.status import BackendStatus, Status

__all__ = [
    "DSTACK",
    "DSTACK_TOPIC",
    "BackendInfo",
    "HealthResponse",
    "NodeIdentity",
    "describe",
    "encode",
    "encode_health",
]

DSTACK = "DStack"
"""Name of our own source for people."""

DSTACK_TOPIC = "dstack-gpu-monitor"
"""Topic of a backend beside DStack."""


class NodeIdentity(Struct, frozen=True, kw_only=True):
    """How a node presents itself: to the network, and to people.

    Attributes:
        topic: What the backend reports on. An embedding backend sets its own.
        source: Name of the source for people, on the page and in the log; not part of `/health`.
        service: Name of the service, in the log, at `GET /` and in the metric names.
        node: Name of the node for people: on the page, in `/status` and in messages; not part of
            `/health`.
        pubkeys: Public keys of the node, if it has any.
        ip_address: Address under which the node can be reached, if it is published.
    """

    topic: str = DSTACK_TOPIC
    source: str = DSTACK
    service: str = "dstack-backend"
    node: str = ""
    pubkeys: tuple[str, ...] = ()
    ip_address: str | UnsetType = UNSET


class BackendInfo(Struct, frozen=True, kw_only=True):
    """The body that the worker reads. The order of the fields is part of the contract.

    Attributes:
        version: Version of this contract.
        topic: What the backend reports on.
        pubkeys: Public keys of the node.
        status: Available or unavailable.
        metadata: The inventory's metadata as JSON while available, one message while not.
        ip_address: Address under which the node can be reached; absent where it is not published.
    """

    version: Literal["1.0.0"] = "1.0.0"
    topic: str
    pubkeys: tuple[str, ...]
    status: Status
    metadata: str
    ip_address: str | UnsetType = UNSET


class HealthResponse(Struct, frozen=True):
    """An encoded BackendInfo, encoded once per check and sent as often as it is requested.

    Attributes:
        is_available: Whether its status is available.
        body: JSON in UTF-8.
    """

    is_available: bool
    body: bytes


_encoder = msgspec.json.Encoder()


def describe(status: BackendStatus, identity: NodeIdentity | None = None) -> BackendInfo:
    """Return the BackendInfo for a status.

    Without an identity, topic and public keys are those of `NodeIdentity()`.
    """
    identity = identity or NodeIdentity()
    if status.inventory is None:
        metadata = status.message
    else:
        metadata = _encoder.encode(status.inventory.metadata()).decode()
    return BackendInfo(
        topic=identity.topic,
        pubkeys=identity.pubkeys,
        status=status.status,
        metadata=metadata,
        ip_address=identity.ip_address,
    )


def encode(info: BackendInfo) -> bytes:
    """Return the body of `GET /health`: JSON in UTF-8."""
    return _encoder.encode(info)


def encode_health(status: BackendStatus, identity: NodeIdentity | None = None) -> HealthResponse:
    """Return the encoded response for a status.

    Without an identity, topic and public keys are those of `NodeIdentity()`.
    """
    return HealthResponse(status.status is Status.AVAILABLE, encode(describe(status, identity)))
