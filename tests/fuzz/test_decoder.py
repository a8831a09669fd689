"""Whatever bytes DStack sends."""

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
"""All that is ever said of a bad body: our own field names, kinds of JSON values, positions."""


@st.composite
def damaged(draw: DrawFn) -> bytes:
    """A good answer in which a few bytes were replaced, cut out or repeated."""
    body = draw(listing_bodies())[1]
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(body)))
        end = at + draw(st.integers(0, 6))
        body = body[:at] + draw(st.binary(max_size=6) | st.just(body[at:end] * 2)) + body[end:]
    return body


BODIES = hostile_bodies() | damaged() | st.binary(max_size=3000)


def assert_well_formed(result: GpuInventory | CheckFailure) -> None:
    """What `/health` then says is what the worker understands."""
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
def test_any_bytes_give_an_inventory_or_a_sentence_of_ours(body: bytes) -> None:
    """The result is an inventory or an `invalid_response` in words that hold nothing of the body.

    Nothing else happens: no exception, and `/health` stays well-formed.
    """
    result = decode_listing(body)
    assert isinstance(result, (GpuInventory, CheckFailure))
    if isinstance(result, CheckFailure):
        assert result.reason is Reason.INVALID_RESPONSE
        assert SAFE.fullmatch(result.message), result.message
    assert_well_formed(result)


@effort(2_000)
@given(listing_bodies())
def test_any_good_answer_gives_what_it_says(pair: tuple[GpuInventory, bytes]) -> None:
    """And unknown fields change nothing."""
    inventory, body = pair
    assert decode_listing(body) == inventory
    assert_well_formed(inventory)


@effort(3_000)
@given(st.text(max_size=120) | st.from_regex(r"v?\d[\w.+-]*( \(git:\w*\))?\n?", fullmatch=True))
def test_any_version_header_is_passed_on_as_one_short_line_or_not_at_all(header: str) -> None:
    """Nothing that could hurt a terminal, a page or a label gets through."""
    version = decode_version(header)
    assert version is None or (version == header and len(version) < 120)
    assert re.fullmatch(r"[\w.+():\- ]*", version or "", re.ASCII)
