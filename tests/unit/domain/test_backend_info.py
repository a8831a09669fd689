"""BackendInfo: the worker's view, byte for byte."""

import json
from string import printable

import hypothesis.strategies as st
import msgspec
from hypothesis import given

from dstack_backend.domain import (
    BackendInfo,
    CheckFailure,
    CheckResult,
    Gpu,
    GpuInventory,
    Metadata,
    NodeIdentity,
    Reason,
    Status,
    assess,
    describe,
    describe_inventory,
    encode,
    encode_health,
)
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


def test_an_available_node_byte_for_byte() -> None:
    """The fields of both levels, their order and their form are the contract's."""
    assert encode(describe(assess(TWO))) == AVAILABLE


def test_an_unavailable_node_byte_for_byte() -> None:
    """The metadata is one sentence."""
    assert encode(describe(assess(CheckFailure(Reason.CONNECTION_REFUSED)))) == UNAVAILABLE


def test_what_a_source_does_not_say_is_not_promised() -> None:
    """Without a word on it there are no GPUs, and nobody may have all of them at once."""
    metadata = describe_inventory(GpuInventory())
    assert (metadata.gpu_count, metadata.allow_attach_all) == (0, False)


def test_an_embedding_backend_brings_its_own_identity() -> None:
    """Topic and public keys are the caller's, the contract's version is not."""
    info = describe(assess(TWO), NodeIdentity(topic="mine", pubkeys=("a", "b")))
    assert (info.version, info.topic, info.pubkeys) == ("1.0.0", "mine", ("a", "b"))


@given(inventories())
def test_the_metadata_of_any_inventory_decodes_to_the_same_gpus(inventory: GpuInventory) -> None:
    """Whatever texts a source sends, they arrive as they were, within JSON within JSON."""
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
def test_the_metadata_can_be_read_back_as_the_type_it_is(inventory: GpuInventory) -> None:
    """A consumer in Python decodes the string to `Metadata`."""
    info = msgspec.json.decode(encode(describe(assess(inventory))), type=BackendInfo)
    assert msgspec.json.decode(info.metadata, type=Metadata) == describe_inventory(inventory)


@given(inventories(st.text(st.characters(categories=["Cs"]), min_size=1)))
def test_texts_that_have_no_utf8_are_encoded_all_the_same(inventory: GpuInventory) -> None:
    """Lone surrogates, which a source that reads file names may hold, become question marks."""
    info = json.loads(encode(describe(assess(inventory))))
    assert len(json.loads(info["metadata"])["gpus"]) == len(inventory.gpus)


@given(failures())
def test_the_metadata_of_a_failure_is_its_sentence(failure: CheckFailure) -> None:
    """It is printable ASCII on one line, and no JSON."""
    info = json.loads(encode(describe(assess(failure))))
    assert info["metadata"] == failure.message
    assert set(info["metadata"]) <= set(printable) - set("\r\n\t\v\f")


@given(check_results())
def test_an_encoded_answer_says_the_same_outside_and_inside(result: CheckResult) -> None:
    """The flag, which becomes the HTTP status, and the body's status agree."""
    status = assess(result)
    answer = encode_health(status)
    assert answer.body == encode(describe(status))
    assert answer.is_available == (status.status is Status.AVAILABLE)
