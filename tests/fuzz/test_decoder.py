"""The decoder of DStack's answers, with arbitrary bytes."""

import json
import re

import msgspec
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn

from dstack_backend.adapters.httpx_dstack.decode import decode_listing, decode_version
from dstack_backend.domain import (
    BackendInfo,
    CheckFailure,
    GpuInventory,
    GpuInventoryMetadata,
    Reason,
    Status,
    assess,
    encode_health,
)
from dstack_backend.testing.strategies import hostile_bodies, listing_bodies
from tests.fuzz.effort import effort

FIELD = r"(gpus|allow_attach_all|slot|product_id|description|is_free)"
PLACE = rf"( - at `\$(\.{FIELD}|\[\d+\]|\[\.\.\.\])*`)?"
FAULT = (
    r"(invalid (number|character|character in unicode escape|escaped character"
    r"|escape character in string|utf-16 surrogate pair)"
    r"|unexpected end of (hex escape|escaped utf-16 surrogate pair)"
    r"|expected ('[,:\"]'|',' or '[\]}]')|trailing (comma in (array|object)|characters)"
    r"|object keys must be strings)"
)
SAFE = re.compile(
    r"Parse error: ("
    r"the answer is not UTF-8|the answer is nested too deep|Input data was truncated"
    rf"|JSON is malformed: {FAULT} \(byte \d+\)"
    rf"|Expected `[a-z]+`, got `[a-z]+`{PLACE}"
    rf"|Object missing required field `{FIELD}`{PLACE}"
    rf"|(Number|Integer value) out of range{PLACE}"
    r")"
)
"""All that is published of a bad body: known field names, kinds of JSON values, positions."""


@st.composite
def damaged(draw: DrawFn) -> bytes:
    """Return a good answer in which a few bytes are replaced, cut out or repeated."""
    body = draw(listing_bodies())[1]
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(body)))
        end = at + draw(st.integers(0, 6))
        body = body[:at] + draw(st.binary(max_size=6) | st.just(body[at:end] * 2)) + body[end:]
    return body


BODIES = hostile_bodies() | damaged() | st.binary(max_size=3000)


def assert_well_formed(result: GpuInventory | CheckFailure) -> None:
    """Assert that the worker can read the body of `/health`."""
    answer = encode_health(assess(result))
    info = msgspec.json.decode(answer.body, type=BackendInfo)
    assert list(json.loads(answer.body)) == ["version", "topic", "pubkeys", "status", "metadata"]
    assert (
        answer.is_available == (info.status is Status.AVAILABLE) == isinstance(result, GpuInventory)
    )
    if isinstance(result, GpuInventory):
        metadata = msgspec.json.decode(info.metadata, type=GpuInventoryMetadata)
        assert metadata.gpu_count == len(metadata.gpus) == len(result.gpus)
        assert 0 <= metadata.free_gpu_count <= metadata.gpu_count


@effort(6_000)
@given(BODIES)
def test_any_bytes_become_an_inventory_or_a_safe_message(body: bytes) -> None:
    """Whatever the bytes are, the message of an `invalid_response` holds nothing of the body.

    Nothing is raised, and `/health` is well-formed.
    """
    result = decode_listing(body)
    assert isinstance(result, (GpuInventory, CheckFailure))
    if isinstance(result, CheckFailure):
        assert result.reason is Reason.INVALID_RESPONSE
        assert SAFE.fullmatch(result.message), result.message
    assert_well_formed(result)


@effort(2_000)
@given(listing_bodies())
def test_any_valid_answer_becomes_its_inventory(pair: tuple[GpuInventory, bytes]) -> None:
    """Unknown fields are ignored."""
    inventory, body = pair
    assert decode_listing(body) == inventory
    assert_well_formed(inventory)


@effort(3_000)
@given(st.text(max_size=120) | st.from_regex(r"v?\d[\w.+-]*( \(git:\w*\))?\n?", fullmatch=True))
def test_any_version_header_becomes_one_short_line_or_none(header: str) -> None:
    """It is safe for a terminal, a page and a label."""
    version = decode_version(header)
    assert version is None or (version == header and len(version) < 120)
    assert re.fullmatch(r"[\w.+():\- ]*", version or "", re.ASCII)
