"""Hypothesis strategies: values of the domain, histories of checks, and what DStack may answer."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import hypothesis.strategies as st
import msgspec
from hypothesis.strategies import DrawFn, SearchStrategy
from msgspec import Struct

from dstack_backend.domain.check import Check, CheckFailure, CheckResult, Reason
from dstack_backend.domain.gpu import Gpu, GpuInventory
from dstack_backend.domain.monitor import CheckPolicy, MonitorState, observe
from dstack_backend.domain.timestamp import Timestamp
from dstack_backend.testing.history_strategies import entry_lists, history_entries

__all__ = [
    "CHECK_REASONS",
    "HistoryStore",
    "check_results",
    "entry_lists",
    "failures",
    "gpus",
    "histories",
    "history_entries",
    "hostile_bodies",
    "inventories",
    "json_values",
    "listing_bodies",
    "moments",
    "nasty_texts",
    "policies",
    "setting_texts",
]

CHECK_REASONS = tuple(each for each in Reason if each not in (Reason.STARTING, Reason.STALE))
"""The reasons for which a check can fail; the other two are the monitor's."""

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
    "Advanced Micro Devices, Inc. [AMD/ATI] Device 74a1",
    "NVIDIA Corporation Device [10de:2335]",
)


def nasty_texts() -> SearchStrategy[str]:
    """Texts that can be encoded, with control characters, markup and length."""
    return st.text(max_size=20) | st.sampled_from(_NASTY)


def gpus(texts: SearchStrategy[str] | None = None) -> SearchStrategy[Gpu]:
    """GPUs: plausible ones, and such with arbitrary texts."""
    text = nasty_texts() if texts is None else texts
    return st.builds(
        Gpu,
        slot=st.sampled_from(("3b:00.0", "0000:9b:00.0")) | text,
        product_id=st.sampled_from(_PRODUCT_IDS) | text,
        description=st.sampled_from(_DESCRIPTIONS) | text.map("NVIDIA [{}]".format) | text,
        is_free=st.booleans(),
    )


def inventories(texts: SearchStrategy[str] | None = None) -> SearchStrategy[GpuInventory]:
    """Inventories of up to four GPUs."""
    return st.builds(
        GpuInventory,
        gpus=st.lists(gpus(texts), max_size=4).map(tuple),
        allow_attach_all=st.booleans(),
        source_version=st.none() | st.just("v0.5.11 (git:0123abc)"),
    )


def failures() -> SearchStrategy[CheckFailure]:
    """Failures as an adapter makes them: a detail is one printable line."""
    details = st.sampled_from(("", "no answer within 5 s", "500 Internal Server Error"))
    return st.builds(CheckFailure, st.sampled_from(CHECK_REASONS), details)


def check_results() -> SearchStrategy[CheckResult]:
    """What checks bring."""
    return st.one_of(inventories(), failures())


def moments() -> SearchStrategy[Timestamp]:
    """Moments; the wall clock has nothing to do with the monotonic one."""
    years = st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1))  # noqa: DTZ001 - next line
    wall = years.map(lambda naive: naive.replace(tzinfo=UTC))
    return st.builds(Timestamp, st.floats(0, 1e6), wall)


def policies() -> SearchStrategy[CheckPolicy]:
    """Policies that the settings allow."""
    thresholds = st.integers(1, 4)
    seconds = st.floats(0.1, 600)
    return st.builds(
        CheckPolicy,
        interval=seconds,
        timeout=seconds,
        failure_threshold=thresholds,
        recovery_threshold=thresholds,
    )


class HistoryStore(Struct, frozen=True):
    """What a monitor went through.

    Attributes:
        policy: The policy that held.
        start: When the monitor started.
        checks: The checks that finished, in order, never two at once.
        now: A second (monotonic) not before the last of them.
    """

    policy: CheckPolicy
    start: Timestamp
    checks: tuple[Check, ...]
    now: float

    @property
    def states(self) -> tuple[MonitorState, ...]:
        """The first state, then the one after each check."""
        states = [MonitorState(since=self.start)]
        for check in self.checks:
            states.append(observe(states[-1], check, self.policy))
        return tuple(states)

    @property
    def state(self) -> MonitorState:
        """The state that was reached."""
        return self.states[-1]


_TURNS: tuple[CheckResult, ...] = (
    GpuInventory(),
    GpuInventory(gpus=(Gpu(slot="3b:00.0", product_id="", description="", is_free=True),)),
    CheckFailure(Reason.TIMED_OUT, "no answer within 5 s"),
    CheckFailure(Reason.CONNECTION_REFUSED),
)


@st.composite
def histories(draw: DrawFn, least: int = 0) -> HistoryStore:
    """Sequences of checks, with pauses that make them stale, and a wall clock that jumps."""
    policy = draw(policies())
    pauses = st.floats(0, 2 * policy.stale_after) | st.just(policy.stale_after)
    start = draw(moments())
    now = start.monotonic
    checks: list[Check] = []
    for result in draw(st.lists(st.sampled_from(_TURNS), min_size=least, max_size=6)):
        started = now + draw(pauses)
        now = started + draw(st.floats(0, policy.timeout))
        wall = start.utc + timedelta(seconds=draw(st.integers(-9999, 9999)))
        checks.append(Check(result=result, started=started, finished=Timestamp(now, wall)))
    return HistoryStore(policy, start, tuple(checks), now + draw(pauses))


def json_values() -> SearchStrategy[object]:
    """Whatever JSON can say, a few levels deep."""
    leaves = st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.text(max_size=8)
    return st.recursive(
        leaves | st.floats(allow_nan=False, allow_infinity=False),
        lambda inner: st.lists(inner, max_size=3) | _objects(inner),
        max_leaves=4,
    )


def _objects(values: SearchStrategy[object]) -> SearchStrategy[Mapping[str, object]]:
    return st.dictionaries(st.text(max_size=8), values, max_size=3)


def _unknown_fields() -> SearchStrategy[Mapping[str, object]]:
    return _objects(json_values()).map(
        lambda fields: {f"new_{name}": value for name, value in fields.items()}
    )


@st.composite
def listing_bodies(draw: DrawFn) -> tuple[GpuInventory, bytes]:
    """Good answers of DStack to ListGpus, unknown fields included, and what each of them says."""
    inventory = msgspec.structs.replace(draw(inventories()), source_version=None)
    news = draw(_unknown_fields())
    listed = [{**_fields(gpu), **news} for gpu in inventory.gpus]
    body: dict[str, object] = {**news, "gpus": listed}
    if inventory.allow_attach_all or draw(st.booleans()):
        body["allow_attach_all"] = inventory.allow_attach_all
    return inventory, msgspec.json.encode(body)


def _fields(gpu: Gpu) -> dict[str, object]:
    return msgspec.structs.asdict(gpu)


def hostile_bodies() -> SearchStrategy[bytes]:
    """Bodies that no DStack sends: noise, torn, wrong and deep ones, texts that hurt."""
    return st.one_of(
        st.binary(max_size=200),
        json_values().map(msgspec.json.encode),
        _torn(),
        _wrong(),
        _deep(),
        st.sampled_from(_RAW_TEXTS).map(_with_slot),
        st.sampled_from(_RAW_VALUES).map(lambda value: b'{"gpus":[],"x":' + value + b"}"),
        st.sampled_from(_RAW_VALUES).map(lambda value: b'{"gpus":' + value + b"}"),
        listing_bodies().map(lambda pair: pair[1]),
    )


_RAW_TEXTS = (
    rb"\ud800",
    rb"\udc00\ud800",
    rb"\u0000",
    b"\xff\xfe",
    b"\xed\xa0\x80",
    b"\x00\n",
    b"\\",
)
_RAW_VALUES = (b"1e999999", b"-1e-999999", b"9" * 5000, b"0." + b"1" * 5000, b"NaN", b"[" * 100)


def _with_slot(raw: bytes) -> bytes:
    return (
        b'{"gpus":[{"slot":"' + raw + b'","product_id":"","description":"","is_free":true}],'
        b'"allow_attach_all":true}'
    )


def _torn() -> SearchStrategy[bytes]:
    return st.tuples(listing_bodies(), st.floats(0, 1)).map(
        lambda drawn: drawn[0][1][: int(len(drawn[0][1]) * drawn[1])]
    )


@st.composite
def _wrong(draw: DrawFn) -> bytes:
    gpu = _fields(draw(gpus()))
    gpu[draw(st.sampled_from(sorted(gpu)))] = draw(json_values())
    body: dict[str, object] = {"gpus": [gpu], "allow_attach_all": draw(json_values())}
    body.pop(draw(st.sampled_from((*body, "neither"))), None)
    return msgspec.json.encode(body)


@st.composite
def _deep(draw: DrawFn) -> bytes:
    start = draw(st.sampled_from((b"", b'{"x":', b'{"gpus":[')))
    opening = draw(st.sampled_from((b"[", b'{"a":', b'{"gpus":[')))
    return start + opening * draw(st.sampled_from((10, 500, 1_500, 100_000)))


def setting_texts() -> SearchStrategy[str]:
    """What people and scripts put into variables: noise, near misses, right values."""
    parts = st.sampled_from((*_ADDRESS_PARTS, *_ODD_PARTS))
    return st.lists(parts, max_size=6).map("".join) | nasty_texts() | st.text(max_size=40)


_ADDRESS_PARTS = (
    "http://",
    "https://",
    "unix:",
    "[::1]",
    ":",
    "/",
    "@",
    "80",
    "99999",
    "localhost",
)
_ODD_PARTS = ("-1", "1e3", ".", "%", "?", "#", "\n", "\t", " ", "ü", "٣", "info", "json", "nan")
