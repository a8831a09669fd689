"""Decoding DStack's answer: any bytes become an inventory or a failure."""

import json

import pytest
from hypothesis import given

from dstack_backend.adapters.httpx_dstack.decode import decode_listing, decode_version
from dstack_backend.domain import CheckFailure, Gpu, GpuInventory, Reason, assess, encode_health
from dstack_backend.testing.strategies import hostile_bodies, listing_bodies

CANARY = "c4n4ry"
GPU = b'{"slot":"3b:00.0","product_id":"10de:2335","description":"NVIDIA","is_free":true}'


def test_answer_of_dstack_is_decoded() -> None:
    """The four fields of each GPU and the flag are unchanged; the version is added."""
    body = b'{"gpus":[' + GPU + b'],"allow_attach_all":true}'
    assert decode_listing(body, "v0.5.11") == GpuInventory(
        gpus=(Gpu(slot="3b:00.0", product_id="10de:2335", description="NVIDIA", is_free=True),),
        allow_attach_all=True,
        source_version="v0.5.11",
    )


def test_allow_attach_all_is_false_where_it_is_absent() -> None:
    """DStack sends it since June 2025."""
    assert decode_listing(b'{"gpus":[]}') == GpuInventory(allow_attach_all=False)


@pytest.mark.parametrize("product_id", ["10de:22a3", "10de:1af1", "10DE:22A3"])
def test_nvswitches_are_no_gpus(product_id: str) -> None:
    """DStack lists them where its `listing` names them. The order of the GPUs is kept."""
    switch = GPU.replace(b"10de:2335", product_id.encode())
    other = GPU.replace(b"3b:00.0", b"2a:00.0")
    result = decode_listing(b'{"gpus":[' + b",".join((switch, GPU, switch, other)) + b"]}")
    assert isinstance(result, GpuInventory)
    assert [each.slot for each in result.gpus] == ["3b:00.0", "2a:00.0"]
    assert [each.product_id for each in result.other_devices] == [product_id] * 2
    assert result.summary == "2 GPUs, 2 free"


@given(listing_bodies())
def test_any_valid_answer_becomes_its_inventory(pair: tuple[GpuInventory, bytes]) -> None:
    """Unknown fields are ignored, in the answer and in each GPU."""
    inventory, body = pair
    assert decode_listing(body) == inventory


@given(hostile_bodies())
def test_any_bytes_become_an_inventory_or_an_invalid_response(body: bytes) -> None:
    """Whatever the bytes are, nothing is raised, and `/health` is well-formed."""
    result = decode_listing(body)
    if isinstance(result, CheckFailure):
        assert result.reason is Reason.INVALID_RESPONSE
        assert result.message.startswith("Parse error: ")
        assert result.message.isprintable()
    assert json.loads(encode_health(assess(result)).body)["version"] == "1.0.0"


@pytest.mark.parametrize(
    ("body", "detail"),
    [
        (
            b'{"gpus":[' + GPU.replace(b"true", b'"' + CANARY.encode() + b'"') + b"]}",
            "Expected `bool`, got `str` - at `$.gpus[0].is_free`",
        ),
        (b'{"gpus":[{"slot":"x"}]}', "Object missing required field `product_id` - at `$.gpus[0]`"),
        (b'{"gpus":null}', "Expected `array`, got `null` - at `$.gpus`"),
        (
            b'{"gpus":[],"allow_attach_all":1}',
            "Expected `bool`, got `int` - at `$.allow_attach_all`",
        ),
        (b'{"error":"c4n4ry"}', "Object missing required field `gpus`"),
        (b"[]", "Expected `object`, got `array`"),
        (b"", "Input data was truncated"),
        (b"<html>c4n4ry</html>", "JSON is malformed: invalid character (byte 0)"),
        (b'{"gpus":[]} c4n4ry', "JSON is malformed: trailing characters (byte 13)"),
        (b'{"gpus":[{"slot":"\xff"}]}', "the answer is not UTF-8"),
    ],
)
def test_detail_names_positions_and_no_values(body: bytes, detail: str) -> None:
    """It names known fields and positions; nothing of the body is repeated."""
    result = decode_listing(body)
    assert result == CheckFailure(Reason.INVALID_RESPONSE, detail)
    assert CANARY not in repr(result)


@pytest.mark.parametrize(
    "body",
    [
        b'{"c4n4ry":[[[[',
        b'{"gpus":[{"c4n4ry":1}]}',
        b'{"gpus":{"c4n4ry":{"c4n4ry":1}}}',
        b'{"gpus":"c4n4ry"}',
        b'{"gpus":[],"c4n4ry":\xff}',
        b'{"gpus":[],"c4n4ry":"\\ud800"}',
        b'{"gpus":[],"x":"c4n4ry\\u12"}',
    ],
)
def test_unknown_names_of_the_body_are_not_published(body: bytes) -> None:
    """They are text of the other side, as values are."""
    result = decode_listing(body)
    assert isinstance(result, CheckFailure)
    assert CANARY not in result.message


@pytest.mark.parametrize(
    "header", ["v0.5.11 (git:0123456789abcdef0123)", "0.4.2", "v1.0.0-rc.1+build"]
)
def test_version_of_the_usual_form_is_accepted(header: str) -> None:
    """DStack's form, with and without the commit."""
    assert decode_version(header) == header


@pytest.mark.parametrize(
    "header",
    [None, "", "latest", "<b>v1</b>", "v1\r\nx", "v1\x00", "v" + "1" * 60, "v1 (git:)", "v\u0661"],
)
def test_version_of_another_form_is_ignored(header: str | None) -> None:
    """Markup, control characters and long texts are not passed on."""
    assert decode_version(header) is None


def test_deep_nesting_is_a_failure() -> None:
    """Whether the depth or the missing end is found first depends on the stack of the Python."""
    result = decode_listing(b'{"x":' + b"[" * 100_000)
    assert isinstance(result, CheckFailure)
    assert result.detail in ("the answer is nested too deep", "Input data was truncated")
