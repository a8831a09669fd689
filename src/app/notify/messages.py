"""The text of a message, in English or Chinese.

A message contains no text of the source: a slot only where it is a PCI address, a model only where
it is one of the table. So nothing in it can become markup or a link.
"""

import tomllib
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path

from dstack_backend.adapters.litestar_http.page.i18n import translation
from dstack_backend.domain.backend_info import DSTACK, NodeIdentity
from dstack_backend.domain.check import Reason
from dstack_backend.domain.formatting import format_duration, format_time
from dstack_backend.domain.gpu import KNOWN_MODELS, Gpu, is_pci_address
from dstack_backend.domain.notification import Event, EventKind, Message

__all__ = ["message", "test_message"]


class _Writer:
    """Writes the parts of a message in one language."""

    def __init__(self, language: str, identity: NodeIdentity) -> None:
        self._texts = _texts(language)
        self._translation = translation(language)
        self._identity = identity

    def text(self, name: str, **values: object) -> str:
        return self._texts[name].format(node=self._identity.node, **values)

    def name(self, event: Event) -> str:
        return "stale" if event.reason is Reason.STALE and event.seconds is None else event.kind

    def body(self, event: Event) -> str:
        reason = self._translation.reasons[event.reason].name if event.reason else ""
        lines = [
            self.text(
                self.name(event),
                since=format_time(event.at),
                reason=f"{reason} ({event.reason})" if event.reason else "",
                duration=format_duration(event.seconds or 0.0, self._translation.units),
                gpu=self._gpu(event.gpu) if event.gpu else "",
                count=event.count,
            )
        ]
        if remedy := self._remedy(event):
            lines.append(self.text("what_to_do", remedy=remedy))
        return "\n".join(lines)

    def _gpu(self, gpu: Gpu) -> str:
        model = gpu.model if gpu.model in KNOWN_MODELS else self.text("gpu_unknown_model")
        name = "gpu_in" if is_pci_address(gpu.slot) else "gpu_odd_slot"
        return self.text(name, model=model, slot=gpu.slot)

    def _remedy(self, event: Event) -> str:
        if event.kind is EventKind.GPU_LOST and event.gpu:
            is_address = is_pci_address(event.gpu.slot)
            command = f"lspci -s {event.gpu.slot}" if is_address else "lspci"
            return self.text("gpu_remedies", command=command)
        has_advice = self._identity.source == DSTACK and event.kind is EventKind.UNAVAILABLE
        if has_advice and event.reason:
            return next(iter(self._translation.reasons[event.reason].remedies), "")
        return ""


def message(events: Sequence[Event], language: str, identity: NodeIdentity) -> Message:
    """Return one message about all events, the oldest first."""
    writer = _Writer(language, identity)
    one = events[0] if len(events) == 1 else None
    title = (
        writer.text(f"{writer.name(one)}_title")
        if one
        else writer.text("digest_title", count=len(events))
    )
    return Message(title, "\n\n".join(map(writer.body, events)))


def test_message(language: str, identity: NodeIdentity) -> Message:
    """Return the message of `notify --test`."""
    writer = _Writer(language, identity)
    return Message(writer.text("test_title"), writer.text("test"))


@cache
def _texts(language: str) -> Mapping[str, str]:
    file = Path(__file__).parent / "languages" / f"{language}.toml"
    return tomllib.loads(file.read_text("utf-8"))
