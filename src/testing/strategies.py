"""Hypothesis strategies: results of checks, histories, answers of DStack."""

from collections.abc import Mapping
from datetime import datetime, timedelta

import hypothesis.strategies as st
import msgspec
from hypothesis.strategies import DrawFn, SearchStrategy

from dstack_backend.domain.check import CheckFailure, CheckResult, Reason
from dstack_backend.domain.gpu import Gpu, GpuInventory
from dstack_backend.domain.history import (
    EntryGroup,
    EntryKind,
    GapCause,
    GpuEntry,
    HistoryEntry,
)
from dstack_backend.domain.status import Status
from dstack_backend.testing.fakes import EPOCH

__all__ = [
    "CHECK_REASONS",
    "check_results",
    "entry_lists",
    "failures",
    "gpus",
    "hostile_bodies",
    "inventories",
    "listing_bodies",
    "nasty_texts",
]

CHECK_REASONS = tuple(reason for reason in Reason if reason.is_conclusive)
"""The reasons with which a check can fail."""

_NASTY = (
    "<script>alert(1)</script>",
    '"}],"status":"available","x":"',
    "a\r\nSet-Cookie: b=c",
    "\x00\x07\x1b[31m\x7f\x85",
    "\u2028\u2029\u202e\ufeff",
    "%s%n{0}${jndi:x}",
    "\\ud800\\",
    "[10de:2335]",
    "[]]][[",
    "😀" * 30,
    "x" * 5000,
)

_PRODUCT_IDS = ("10de:2335", "10DE:2331", "10de:20b0", "10de:ffff", "1002:74a1", "10de", ":", "")
_DESCRIPTIONS = (
    "NVIDIA Corporation",
    "NVIDIA Corporation GH100 [H200 SXM 141GB]",
    "NVIDIA Corporation GH100 [H200 SXM 141GB] (rev a1)",
    "Advanced Micro Devices, Inc. [AMD/ATI]",
    "Advanced Micro Devices, Inc. [AMD/ATI] Aqua Vanjaram [Instinct MI300X]",
    "",
)


def nasty_texts() -> SearchStrategy[str]:
    """Return texts with control characters, markup and great length. All can be encoded."""
    return st.text(max_size=20) | st.sampled_from(_NASTY)


def gpus(texts: SearchStrategy[str] | None = None) -> SearchStrategy[Gpu]:
    """Return GPUs with plausible and with arbitrary texts."""
    text = nasty_texts() if texts is None else texts
    return st.builds(
        Gpu,
        slot=st.sampled_from(("3b:00.0", "0000:9b:00.0")) | text,
        product_id=st.sampled_from(_PRODUCT_IDS) | text,
        description=st.sampled_from(_DESCRIPTIONS) | text.map("NVIDIA [{}]".format) | text,
        is_free=st.booleans(),
    )


def inventories(texts: SearchStrategy[str] | None = None) -> SearchStrategy[GpuInventory]:
    """Return inventories of up to four GPUs."""
    return st.builds(
        GpuInventory,
        gpus=st.lists(gpus(texts), max_size=4).map(tuple),
        allow_attach_all=st.booleans(),
        source_version=st.none() | st.just("v0.5.11 (git:0123abc)"),
    )


def failures() -> SearchStrategy[CheckFailure]:
    """Return failures with details of one printable line."""
    details = st.sampled_from(("", "no answer within 5 s", "500 Internal Server Error"))
    return st.builds(CheckFailure, st.sampled_from(CHECK_REASONS), details)


def check_results() -> SearchStrategy[CheckResult]:
    """Return inventories and failures."""
    return inventories() | failures()


_OUTCOMES: tuple[tuple[Status | None, Reason | None, GapCause | None], ...] = (
    (Status.AVAILABLE, None, None),
    *((None, None, cause) for cause in GapCause),
    *((Status.UNAVAILABLE, reason, None) for reason in Reason),
)
_MESSAGES = ("8 GPUs, 5 free", "Connection error: connection refused")
_GPU_KINDS = [kind for kind in EntryKind if kind.group is not EntryGroup.STATUS]


def entry_lists(
    texts: SearchStrategy[str] | None = None, *, with_gpus: bool = False
) -> SearchStrategy[list[HistoryEntry]]:
    """Return up to twelve entries without a number, in the order of writing.

    They are within two minutes of `EPOCH`, or have the time of a wrong clock: one that was
    not set, or one that was a month ahead.
    """
    messages = st.sampled_from(_MESSAGES) if texts is None else texts
    entries = _status_entries(messages)
    return st.lists(entries | _gpu_entries(messages) if with_gpus else entries, max_size=12)


def _times() -> SearchStrategy[datetime]:
    seconds = st.integers(0, 120) | st.sampled_from((-1_700_000_000, 30 * 86_400))
    return seconds.map(lambda each: EPOCH + timedelta(seconds=each))


def _gpu_entries(texts: SearchStrategy[str]) -> SearchStrategy[HistoryEntry]:
    gpu = st.builds(GpuEntry, texts, texts, st.none() | texts, st.none() | _times())
    kind = st.sampled_from(_GPU_KINDS)
    return st.builds(HistoryEntry, kind=kind, at=_times(), gpu=gpu, message=texts)


@st.composite
def _status_entries(draw: DrawFn, texts: SearchStrategy[str]) -> HistoryEntry:
    after, reason, gap = draw(st.sampled_from(_OUTCOMES))
    return HistoryEntry(
        kind=EntryKind.GAP if gap else EntryKind.STATUS,
        at=draw(_times()),
        before=draw(st.sampled_from((None, *Status))),
        after=after,
        reason=reason,
        gap=gap,
        message=draw(texts),
    )


def _json_values() -> SearchStrategy[object]:
    leaves = st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.text(max_size=8)
    return st.recursive(
        leaves | st.floats(allow_nan=False, allow_infinity=False),
        lambda inner: st.lists(inner, max_size=3) | _objects(inner),
        max_leaves=4,
    )


def _objects(values: SearchStrategy[object]) -> SearchStrategy[Mapping[str, object]]:
    return st.dictionaries(st.text(max_size=8), values, max_size=3)


@st.composite
def listing_bodies(draw: DrawFn) -> tuple[GpuInventory, bytes]:
    """Return valid answers of DStack, with unknown fields, and the inventory of each."""
    inventory = msgspec.structs.replace(draw(inventories()), source_version=None)
    unknown = {f"new_{name}": value for name, value in draw(_objects(_json_values())).items()}
    listed = [{**msgspec.structs.asdict(gpu), **unknown} for gpu in inventory.gpus]
    body: dict[str, object] = {**unknown, "gpus": listed}
    if inventory.allow_attach_all or draw(st.booleans()):
        body["allow_attach_all"] = inventory.allow_attach_all
    return inventory, msgspec.json.encode(body)


def hostile_bodies() -> SearchStrategy[bytes]:
    """Return bodies that no DStack sends: noise, truncated, wrong, deeply nested, hostile texts."""
    valid = listing_bodies().map(lambda pair: pair[1])
    return st.one_of(
        st.binary(max_size=200),
        _json_values().map(msgspec.json.encode),
        st.tuples(valid, st.floats(0, 1)).map(lambda pair: pair[0][: int(len(pair[0]) * pair[1])]),
        _wrong_types(),
        _deeply_nested(),
        st.sampled_from(_RAW_BODIES),
        valid,
    )


_RAW_GPU = b'{"gpus":[{"slot":"%b","product_id":"","description":"","is_free":true}]}'
_TEXTS = (rb"\ud800", rb"\udc00\ud800", rb"\u0000", b"\xff\xfe", b"\xed\xa0\x80", b"\x00\n", b"\\")
_VALUES = (b"1e999999", b"-1e-999999", b"9" * 5000, b"0." + b"1" * 5000, b"NaN", b"[" * 100)
_RAW_BODIES = (
    *(_RAW_GPU % text for text in _TEXTS),
    *(b'{"gpus":[],"x":%b}' % value for value in _VALUES),
    *(b'{"gpus":%b}' % value for value in _VALUES),
)


@st.composite
def _wrong_types(draw: DrawFn) -> bytes:
    gpu = msgspec.structs.asdict(draw(gpus()))
    gpu[draw(st.sampled_from(sorted(gpu)))] = draw(_json_values())
    body: dict[str, object] = {"gpus": [gpu], "allow_attach_all": draw(_json_values())}
    body.pop(draw(st.sampled_from((*body, "neither"))), None)
    return msgspec.json.encode(body)


@st.composite
def _deeply_nested(draw: DrawFn) -> bytes:
    start = draw(st.sampled_from((b"", b'{"x":', b'{"gpus":[')))
    opening = draw(st.sampled_from((b"[", b'{"a":', b'{"gpus":[')))
    return start + opening * draw(st.sampled_from((10, 500, 1_500, 100_000)))
