"""The text of messages, in both languages."""

import re
import string
import tomllib
from datetime import timedelta
from pathlib import Path

import hypothesis.strategies as st
import pytest
from hypothesis import given
from msgspec.structs import replace

import dstack_backend
from dstack_backend.app.notify.messages import MAX_LINES, Writer
from dstack_backend.domain import CheckFailure, GpuInventory, NodeIdentity, Reason, StatusReport
from dstack_backend.domain.gpu import KNOWN_MODELS, MissingGpuReport, is_pci_address
from dstack_backend.domain.history import GpuEntry
from dstack_backend.domain.notification import Event, EventKind, Level
from dstack_backend.domain.status import Status
from dstack_backend.testing.fakes import EPOCH, FakeHealth
from dstack_backend.testing.strategies import nasty_texts

NODE = NodeIdentity(node="gpu-07")
LANGUAGES = ["en", "zh"]
FOLDER = Path(dstack_backend.__file__).parent / "app/notify/languages"

UP = replace(FakeHealth(GpuInventory()).report(), degraded=False)
DOWN = FakeHealth(CheckFailure(Reason.TIMED_OUT)).report()

UNAVAILABLE = Event(kind=EventKind.UNAVAILABLE, at=EPOCH, reason=Reason.CONNECTION_REFUSED)
AVAILABLE = Event(
    kind=EventKind.AVAILABLE,
    at=EPOCH + timedelta(seconds=70),
    since=EPOCH,
    seconds=70,
    reason=Reason.CONNECTION_REFUSED,
)


def lost(slot: str = "3b:00.0", model: str | None = "H200 SXM 141GB") -> Event:
    """Return the loss of a GPU."""
    gpu = GpuEntry(slot, "10de:2335", model)
    return Event(kind=EventKind.GPU_LOST, at=EPOCH + timedelta(seconds=20), since=EPOCH, gpu=gpu)


def missing(*slots: str) -> StatusReport:
    """Return the report of an available node with missing GPUs."""
    gpus = [
        MissingGpuReport(slot=each, product_id="", model=None, last_seen=EPOCH) for each in slots
    ]
    return replace(UP, missing=tuple(gpus), degraded=True)


def written(
    *events: Event, language: str = "en", node: NodeIdentity = NODE, report: StatusReport = UP
) -> tuple[str, list[str]]:
    """Return the title, and the lines of the body."""
    message = Writer(language, node).message(events, report)
    return message.title, message.body.split("\n")


def test_outage_names_node_time_reason_and_what_to_do() -> None:
    """Each in words, and the reason also as its code."""
    title, lines = written(UNAVAILABLE, report=DOWN)
    assert title == "gpu-07: unavailable"
    assert lines[0] == (
        "Unavailable since 2026-01-01 00:00:00 UTC. Reason: Connection refused"
        " (connection_refused)."
    )
    assert lines[1] == "What to do:"
    assert lines[2].startswith("- Is DStack running?")
    assert "`dstack-backend doctor`" in lines[3]


def test_return_names_the_duration() -> None:
    """There is nothing to do."""
    title, lines = written(AVAILABLE)
    assert title == "gpu-07: available again"
    (line,) = lines
    assert line == (
        "Available again since 2026-01-01 00:01:10 UTC. It was unavailable for 1 min 10 s, since"
        " 2026-01-01 00:00:00 UTC. Reason: Connection refused (connection_refused)."
    )


def test_lost_gpu_names_model_slot_and_what_to_do() -> None:
    """With the command for this slot."""
    title, lines = written(lost(), report=missing("3b:00.0"))
    assert title == "gpu-07: GPU lost"
    assert lines[0] == (
        "GPU lost: H200 SXM 141GB in 3b:00.0, last seen at 2026-01-01 00:00:00 UTC."
    )
    assert "`lspci -s 3b:00.0`" in lines[2]
    assert lines[3].startswith("- Power the host off and on; a reboot is often not enough.")
    assert lines[4] == "- If it was removed on purpose: `dstack-backend gpus --forget 3b:00.0`."


def test_stale_checks_have_a_title_of_their_own() -> None:
    """The source may be all right."""
    title, lines = written(
        Event(kind=EventKind.UNAVAILABLE, at=EPOCH, reason=Reason.STALE), report=DOWN
    )
    assert title == "gpu-07: checks are stale"
    assert lines[0].startswith("Checks are stale: none has finished")


def test_digest_says_what_holds_now() -> None:
    """In the title, and after the events."""
    events, report = (UNAVAILABLE, AVAILABLE, lost()), missing("3b:00.0")
    title, lines = written(*events, report=report)
    assert title == "gpu-07: degraded, GPUs missing: 1 (3 events)"
    assert lines[3] == "Now: degraded, GPUs missing: 1."
    assert "降级" in written(*events, report=report, language="zh")[0]
    assert written(AVAILABLE, UNAVAILABLE, report=DOWN)[0] == "gpu-07: unavailable (2 events)"
    down = replace(DOWN, degraded=True)
    assert written(AVAILABLE, UNAVAILABLE, report=down)[0] == "gpu-07: unavailable (2 events)"


def test_absence_says_what_holds_now() -> None:
    """The event itself is about the service, and not about the node."""
    event = Event(kind=EventKind.NOT_RUNNING, at=EPOCH, since=EPOCH, seconds=70)
    title, lines = written(event, report=DOWN)
    assert title == "gpu-07: monitoring runs again"
    assert lines[-1] == "Now: unavailable."


@pytest.mark.parametrize(
    ("language", "now"), [("en", "Now: available."), ("zh", "当前状态：可用。")]
)
def test_short_outages_say_what_holds_now_and_how_to_see_the_reasons(
    language: str, now: str
) -> None:
    """The node may be available or not, and each outage may have another reason."""
    event = Event(kind=EventKind.FLAPPING, at=EPOCH, since=EPOCH, count=3)
    _, lines = written(event, language=language)
    assert lines[1] == now
    assert "`dstack-backend history`" in lines[-1]


def test_digest_says_what_to_do_about_what_is_not_over() -> None:
    """An outage that has ended needs nothing."""
    _, over = written(UNAVAILABLE, AVAILABLE)
    _, present = written(AVAILABLE, UNAVAILABLE, report=DOWN)
    assert "What to do:" not in over
    assert "What to do:" in present
    _, both = written(lost("3b:00.0"), lost("4b:00.0"), report=missing("3b:00.0", "4b:00.0"))
    assert "`lspci`" in both[-3]
    assert "--forget SLOT`" in both[-1]


NO_GPUS = Event(kind=EventKind.NO_GPUS, at=EPOCH)
GPUS_LISTED = Event(
    kind=EventKind.GPUS_LISTED, at=EPOCH + timedelta(hours=1), since=EPOCH, seconds=3600, count=8
)


def test_node_without_gpus_is_told_with_what_to_do() -> None:
    """It is available, so the network does not tell it."""
    title, lines = written(NO_GPUS)
    assert title == "gpu-07: no GPUs"
    assert lines[0] == ("The node is online, but has listed no GPU since 2026-01-01 00:00:00 UTC.")
    assert lines[2].startswith("- DStack lists only the product ids in `listing`")
    assert "`dstack-backend doctor`" in lines[3]


def test_first_gpus_are_told_with_their_number_and_need_nothing() -> None:
    """Also where both events are in one message."""
    title, (line,) = written(GPUS_LISTED)
    assert title == "gpu-07: GPUs are listed"
    assert line == (
        "GPUs listed since 2026-01-01 01:00:00 UTC: 8."
        " None was listed for 1 h, since 2026-01-01 00:00:00 UTC."
    )
    _, lines = written(NO_GPUS, GPUS_LISTED)
    assert "What to do:" not in lines


def test_gpu_that_is_not_missing_any_more_needs_nothing() -> None:
    """It was lost and has returned within one message."""
    returned = replace(lost("3b:00.0"), kind=EventKind.GPU_RETURNED)
    _, over = written(lost("3b:00.0"), returned)
    assert "What to do:" not in over
    _, other = written(lost("3b:00.0"), returned, lost("4b:00.0"), report=missing("4b:00.0"))
    assert "`lspci -s 4b:00.0`" in other[-3]
    _, again = written(lost(), returned, lost(), report=missing("3b:00.0"))
    assert "`lspci -s 3b:00.0`" in again[-3]


@pytest.mark.parametrize(
    ("events", "report", "level"),
    [
        ([UNAVAILABLE], DOWN, Level.FAILURE),
        ([AVAILABLE], UP, Level.SUCCESS),
        ([lost()], missing("3b:00.0"), Level.FAILURE),
        ([replace(lost(), kind=EventKind.GPU_RETURNED)], UP, Level.SUCCESS),
        ([replace(lost(), kind=EventKind.GPU_REPLACED)], UP, Level.INFO),
        ([NO_GPUS], UP, Level.FAILURE),
        ([GPUS_LISTED], UP, Level.SUCCESS),
        ([UNAVAILABLE, AVAILABLE], UP, Level.SUCCESS),
        ([UNAVAILABLE, AVAILABLE, lost()], missing("3b:00.0"), Level.FAILURE),
        ([AVAILABLE, UNAVAILABLE], DOWN, Level.FAILURE),
    ],
)
def test_level_says_whether_the_news_is_good(
    events: list[Event], report: StatusReport, level: Level
) -> None:
    """Of several events the present status decides."""
    assert Writer("en", NODE).message(events, report).level is level


def test_long_digest_is_cut() -> None:
    """Some services accept no more than 4096 characters; the last events are the news."""
    title, lines = written(*[lost()] * 90, AVAILABLE)
    assert "91 events" in title
    assert lines[0] == f"{91 - MAX_LINES} earlier events are left out."
    assert lines[MAX_LINES].startswith("Available again")
    assert len("\n".join(lines).encode()) < 4000


@pytest.mark.parametrize("reason", Reason)
def test_what_to_do_makes_sense_without_the_page(reason: Reason) -> None:
    """A message has the first advice of the page, and neither its lists nor its details."""
    for language in LANGUAGES:
        event = Event(kind=EventKind.UNAVAILABLE, at=EPOCH, reason=reason)
        _, lines = written(event, NO_GPUS, language=language, report=DOWN)
        assert not re.search("below|above|this page|[上下]方|页面", "\n".join(lines[1:]))


def test_embedder_has_no_word_about_dstack() -> None:
    """What to do about its source is not known."""
    node = NodeIdentity(source="Pool", topic="pool", service="pool", node="n")
    for reason in Reason:
        for language in LANGUAGES:
            event = Event(kind=EventKind.UNAVAILABLE, at=EPOCH, reason=reason)
            report = replace(missing("3b:00.0"), status=Status.UNAVAILABLE)
            title, lines = written(
                event, NO_GPUS, lost(), language=language, node=node, report=report
            )
            assert "`lspci -s 3b:00.0`" in lines[-2]
            assert "dstack" not in f"{title} {lines}".lower()


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("kind", EventKind)
def test_each_event_has_a_text_in_each_language(kind: EventKind, language: str) -> None:
    """Chinese texts have Chinese punctuation."""
    gpu = GpuEntry("3b:00.0", "10de:2335", None)
    event = Event(kind=kind, at=EPOCH, since=EPOCH, seconds=5, gpu=gpu, count=3)
    title, lines = written(event, language=language)
    assert title.startswith("gpu-07\uff1a" if language == "zh" else "gpu-07: ")
    assert lines[0].endswith("。" if language == "zh" else ".")
    assert "{" not in title + lines[0]


def test_languages_have_the_same_texts_with_the_same_values() -> None:
    """A value that one of them leaves out was forgotten."""
    english, chinese = (
        {name: _fields(text) for name, text in tomllib.loads(file.read_text()).items()}
        for file in (FOLDER / "en.toml", FOLDER / "zh.toml")
    )
    assert english == chinese


def _fields(text: str) -> set[str | None]:
    return {field for _, field, _, _ in string.Formatter().parse(text) if field}


@pytest.mark.parametrize("language", LANGUAGES)
def test_test_message_names_the_node(language: str) -> None:
    """An operator of ten nodes knows which one sent it."""
    message = Writer(language, NODE).test_message()
    assert "gpu-07" in message.title
    assert message.body


@given(
    st.sampled_from(LANGUAGES),
    nasty_texts()
    | st.sampled_from(["3b:00.0", "https://evil.example", "[x](http://evil)", "@here"]),
    st.none() | nasty_texts() | st.sampled_from(sorted(KNOWN_MODELS)),
)
def test_no_text_of_the_source_is_in_a_message(language: str, slot: str, model: str | None) -> None:
    """The slot is in it where it is a PCI address, and the model where it is a known one."""
    harmless = slot if is_pci_address(slot) else "?"
    known = model if model in KNOWN_MODELS else None
    assert written(lost(slot, model), language=language, report=missing(slot)) == written(
        lost(harmless, known), language=language, report=missing(harmless)
    )


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("slot", ["3b:00.0", "0000:3b:00.0", "?"])
def test_message_about_a_gpu_has_neither_a_link_nor_markup(language: str, slot: str) -> None:
    """Nor a character that a screen obeys."""
    title, lines = written(lost(slot), language=language, report=missing(slot))
    assert all(line.isprintable() for line in (title, *lines))
    assert not re.search(r"https?://|[<>\[\]@*_]", "\n".join(lines))
