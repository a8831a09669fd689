"""BackendInfo: the body of `GET /health`, byte for byte."""

import json
from string import printable

import hypothesis.strategies as st
import msgspec
from hypothesis import given
from msgspec import Struct

from dstack_backend.domain import (
    BackendInfo,
    CheckFailure,
    CheckResult,
    Gpu,
    GpuInventory,
    GpuInventoryMetadata,
    NodeIdentity,
    Reason,
    Status,
    assess,
    describe,
    encode_health,
)
from dstack_backend.domain.backend_info import encode
from dstack_backend.testing.strategies import check_results, failures, inventories

H200 = Gpu(slot="3b:00.0", product_id="10de:2335", description="NVIDIA Corporation", is_free=True)
ODD = Gpu(slot="4b:00.0", product_id="10de:ffff", description="NVIDIA Corporation", is_free=False)
TWO = GpuInventory(gpus=(H200, ODD), allow_attach_all=True)

AVAILABLE = (
    b'{"version":"1.0.0","topic":"dstack-gpu-monitor","pubkeys":[],"status":"available",'
    b'"metadata":"{\\"gpu_count\\":2,\\"gpus\\":['
    b'{\\"slot\\":\\"3b:00.0\\",\\"product_id\\":\\"10de:2335\\",'
    b'\\"description\\":\\"NVIDIA Corporation\\",\\"is_free\\":true,'
    b'\\"model\\":\\"H200 SXM 141GB\\"},'
    b'{\\"slot\\":\\"4b:00.0\\",\\"product_id\\":\\"10de:ffff\\",'
    b'\\"description\\":\\"NVIDIA Corporation\\",\\"is_free\\":false,\\"model\\":null}],'
    b'\\"allow_attach_all\\":true,\\"free_gpu_count\\":1}"}'
)
UNAVAILABLE = (
    b'{"version":"1.0.0","topic":"dstack-gpu-monitor","pubkeys":[],"status":"unavailable",'
    b'"metadata":"Connection error: connection refused"}'
)


class StorageMetadata(Struct, frozen=True):
    """Metadata of another kind of node."""

    disks: int
    site: str


class Storage(Struct, frozen=True):
    """The inventory of another kind of node."""

    disks: int
    source_version: str | None = None

    @property
    def is_empty(self) -> bool:
        """Whether there is no disk."""
        return not self.disks

    @property
    def summary(self) -> str:
        """`3 disks`."""
        return f"{self.disks} disks"

    def metadata(self) -> StorageMetadata:
        """The number of disks, and where they are."""
        return StorageMetadata(self.disks, "zrh")


def test_available_node_is_encoded_byte_for_byte() -> None:
    """The fields of both levels, their order and their form are those of the contract."""
    assert encode(describe(assess(TWO))) == AVAILABLE


def test_unavailable_node_is_encoded_byte_for_byte() -> None:
    """The metadata is one message."""
    assert encode(describe(assess(CheckFailure(Reason.CONNECTION_REFUSED)))) == UNAVAILABLE


def test_ip_address_is_the_last_field_where_it_is_set() -> None:
    """It is absent otherwise: see above."""
    info = json.loads(encode(describe(assess(TWO), NodeIdentity(ip_address="192.0.2.1"))))
    assert list(info)[-2:] == ["metadata", "ip_address"]
    assert info["ip_address"] == "192.0.2.1"


def test_inventory_without_values_promises_nothing() -> None:
    """By default there are no GPUs, and attaching all is not allowed."""
    metadata = GpuInventory().metadata()
    assert (metadata.gpu_count, metadata.allow_attach_all) == (0, False)


def test_identity_of_an_embedding_backend_is_published() -> None:
    """Topic and public keys are those of the identity, the version is that of the contract."""
    info = describe(assess(TWO), NodeIdentity(topic="mine", pubkeys=("a", "b")))
    assert (info.version, info.topic, info.pubkeys) == ("1.0.0", "mine", ("a", "b"))


def test_metadata_of_another_inventory_is_published_with_all_its_fields() -> None:
    """Any implementation of `Inventory` has metadata of its own."""
    info = describe(assess(Storage(3)), NodeIdentity(topic="storage"))
    assert info.metadata == '{"disks":3,"site":"zrh"}'
    assert assess(Storage(3)).message == "3 disks"


@given(inventories())
def test_metadata_of_any_inventory_decodes_to_the_same_gpus(inventory: GpuInventory) -> None:
    """The texts of a source are unchanged, in JSON within JSON."""
    info = json.loads(encode(describe(assess(inventory))))
    assert list(info) == ["version", "topic", "pubkeys", "status", "metadata"]
    metadata = json.loads(info["metadata"])
    assert list(metadata) == ["gpu_count", "gpus", "allow_attach_all", "free_gpu_count"]
    assert metadata["gpu_count"] == len(inventory.gpus)
    assert metadata["allow_attach_all"] is inventory.allow_attach_all
    assert metadata["free_gpu_count"] == len([gpu for gpu in inventory.gpus if gpu.is_free])
    assert metadata["gpus"] == [
        {**msgspec.structs.asdict(gpu), "model": gpu.model} for gpu in inventory.gpus
    ]


@given(inventories())
def test_metadata_decodes_to_its_type(inventory: GpuInventory) -> None:
    """A consumer in Python decodes the string to `GpuInventoryMetadata`."""
    info = msgspec.json.decode(encode(describe(assess(inventory))), type=BackendInfo)
    decoded = msgspec.json.decode(info.metadata, type=GpuInventoryMetadata)
    assert decoded == inventory.metadata()


@given(inventories(st.text(st.characters(categories=["Cs"]), min_size=1)))
def test_lone_surrogates_become_question_marks(inventory: GpuInventory) -> None:
    """A source that reads file names may return texts that have no UTF-8 form."""
    info = json.loads(encode(describe(assess(inventory))))
    assert len(json.loads(info["metadata"])["gpus"]) == len(inventory.gpus)


@given(failures())
def test_metadata_of_a_failure_is_its_message(failure: CheckFailure) -> None:
    """It is printable ASCII on one line, and not JSON."""
    info = json.loads(encode(describe(assess(failure))))
    assert info["metadata"] == failure.message
    assert set(info["metadata"]) <= set(printable) - set("\r\n\t\v\f")


@given(check_results())
def test_encoded_response_agrees_with_its_flag(result: CheckResult) -> None:
    """The flag, which becomes the HTTP status, and the status of the body agree."""
    status = assess(result)
    response = encode_health(status)
    assert response.body == encode(describe(status))
    assert response.is_available == (status.status is Status.AVAILABLE)
