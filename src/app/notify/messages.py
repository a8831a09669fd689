"""The text of a message, in English or Chinese.

A message contains no text of the source: a slot only where it is a PCI address, a model only where
it is one of the table. So nothing in it can become markup or a link.
"""

import tomllib
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path

from dstack_backend.adapters.litestar_http.page.i18n import translation
from dstack_backend.domain.backend_info import DSTACK, NodeIdentity
from dstack_backend.domain.check import Reason
from dstack_backend.domain.formatting import format_duration, format_time
from dstack_backend.domain.gpu import KNOWN_MODELS, is_pci_address
from dstack_backend.domain.history import GpuEntry
from dstack_backend.domain.notification import Event, EventKind, Level, Message
from dstack_backend.domain.report import StatusReport
from dstack_backend.domain.status import Status

__all__ = ["MAX_LINES", "Writer"]

MAX_LINES = 20
"""Events that a message describes: the last ones. It says how many earlier ones there are."""

_LEVELS = {
    EventKind.UNAVAILABLE: Level.FAILURE,
    EventKind.AVAILABLE: Level.SUCCESS,
    EventKind.FLAPPING: Level.FAILURE,
    EventKind.NO_GPUS: Level.FAILURE,
    EventKind.GPUS_LISTED: Level.SUCCESS,
    EventKind.GPU_LOST: Level.FAILURE,
    EventKind.GPU_RETURNED: Level.SUCCESS,
}


class Writer:
    """Writes the messages of one node in one language."""

    def __init__(self, language: str, identity: NodeIdentity) -> None:
        """Read the texts of the language."""
        self._texts = _texts(language)
        self._translation = translation(language)
        self._identity = identity

    def message(self, events: Sequence[Event], report: StatusReport) -> Message:
        """Return one message about all events, with the present status where none tells it."""
        lines = [self._line(event) for event in events[-MAX_LINES:]]
        if more := len(events) - len(lines):
            lines.insert(0, self._text("earlier", count=more))
        level = _LEVELS.get(events[0].kind, Level.INFO)
        title, now = self._text(f"{_name(events[0])}_title"), self._now(report)
        if len(events) > 1:
            title = self._text("digest_title", now=now, count=len(events))
            level = Level.SUCCESS if _status(report) == Status.AVAILABLE else Level.FAILURE
        if len(events) > 1 or events[0].kind in (EventKind.NOT_RUNNING, EventKind.FLAPPING):
            lines.append(self._text("now", now=now))
        remedies = [f"- {each}" for each in self._remedies(events, report)]
        if remedies:
            lines += [self._text("what_to_do"), *remedies]
        return Message(title=title, body="\n".join(lines), level=level)

    def test_message(self) -> Message:
        """Return the message of `notify --test`."""
        return Message(title=self._text("test_title"), body=self._text("test"))

    def _text(self, name: str, **values: object) -> str:
        return self._texts[name].format(node=self._identity.node, **values)

    def _line(self, event: Event) -> str:
        return self._text(
            _name(event),
            at=format_time(event.at),
            since=format_time(event.since or event.at),
            duration=format_duration(event.seconds or 0.0, self._translation.units),
            reason=self._reason(event.reason) if event.reason else self._text("no_reason"),
            gpu=self._gpu(event.gpu) if event.gpu else "",
            count=event.count,
        )

    def _reason(self, reason: Reason) -> str:
        return self._text("reason", text=self._translation.reasons[reason].name, code=reason)

    def _gpu(self, gpu: GpuEntry) -> str:
        model = gpu.model if gpu.model in KNOWN_MODELS else self._text("unknown_model")
        name = "gpu" if is_pci_address(gpu.slot) else "gpu_in_odd_slot"
        return self._text(name, model=model, slot=gpu.slot)

    def _now(self, report: StatusReport) -> str:
        missing = len(report.missing or ())
        return self._text(f"now_{_status(report)}") + (
            self._text("now_missing", count=missing) if missing else ""
        )

    def _remedies(self, events: Sequence[Event], report: StatusReport) -> Iterator[str]:
        """Return what to do about what has not ended, and about GPUs still missing."""
        outage = _present(events, EventKind.UNAVAILABLE, EventKind.AVAILABLE)
        found = [self._translation.reasons[outage.reason]] if outage and outage.reason else []
        if _present(events, EventKind.NO_GPUS, EventKind.GPUS_LISTED):
            found.append(self._translation.no_gpus)
        if found and self._identity.source == DSTACK:
            for each in found:
                yield from each.remedies[:1]
            yield self._text("doctor")
        if any(each.kind is EventKind.FLAPPING for each in events):
            yield self._text("flapping_remedy")
        missing = {each.slot for each in report.missing or ()}
        lost = {each.gpu.slot for each in events if each.kind is EventKind.GPU_LOST and each.gpu}
        if lost & missing:
            yield from self._gpu_remedies(sorted(lost & missing))

    def _gpu_remedies(self, slots: Sequence[str]) -> Iterator[str]:
        slot = slots[0] if len(slots) == 1 and is_pci_address(slots[0]) else ""
        yield self._text("gpu_remedy_1", command=f"lspci -s {slot}" if slot else "lspci")
        yield self._text("gpu_remedy_2")
        if self._identity.source == DSTACK:
            yield self._text("gpu_remedy_3", slot=slot or "SLOT")


def _present(events: Sequence[Event], begin: EventKind, end: EventKind) -> Event | None:
    """Return the last event of a kind, unless it has ended."""
    found = [each for each in events if each.kind in (begin, end)]
    return found[-1] if found and found[-1].kind is begin else None


def _status(report: StatusReport) -> str:
    """Return the status as people see it: a node that lacks GPUs is degraded."""
    is_degraded = report.status is Status.AVAILABLE and report.degraded is True
    return "degraded" if is_degraded else report.status


def _name(event: Event) -> str:
    """Return the name of the text for an event."""
    is_stale = event.kind is EventKind.UNAVAILABLE and event.reason is Reason.STALE
    return "stale" if is_stale else event.kind


@cache
def _texts(language: str) -> Mapping[str, str]:
    file = Path(__file__).parent / "languages" / f"{language}.toml"
    return tomllib.loads(file.read_text("utf-8"))
