"""Follows nodes: each by its event stream where it has one, and by polling."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import suppress
from datetime import datetime
from typing import Protocol

from msgspec.structs import replace

from dstack_backend.adapters.httpx_status import NodeAnswer
from dstack_backend.app.status.addresses import NodeAddress
from dstack_backend.app.status.rows import NodeRow, NodeState, make_row
from dstack_backend.domain.check import CheckFailure

__all__ = ["NodeSource", "Watch", "ask_all"]

MIN_PAUSE = 1.0
"""Seconds between two questions to a node, however many events it sends."""

POLL = 5.0
"""Seconds between questions to a node that has no event stream."""

STREAM_POLL = 15.0
"""Seconds between questions to a node whose event stream is silent."""

RECONNECT = 5.0
"""Seconds until the next attempt to open an event stream."""

SETTLE = 0.2
"""Seconds for changes of other nodes that go into the same drawing."""


class NodeSource(Protocol):
    """Asks nodes by the URLs of their services."""

    async def ask(self, url: str) -> NodeAnswer | CheckFailure:
        """Return what a node answers, or why it gives no answer."""
        ...

    def updates(self, url: str) -> AsyncGenerator[None]:
        """Yield for each update of a node. Ends when there is no stream, or no more."""
        ...


async def ask_all(source: NodeSource, addresses: Sequence[NodeAddress]) -> list[NodeRow]:
    """Ask all nodes at once, and return their rows in the order of the addresses."""
    answers = await asyncio.gather(*(source.ask(each.url) for each in addresses))
    return [make_row(*each) for each in zip(addresses, answers, strict=True)]


class Watch:
    """Keeps the rows of nodes up to date.

    Attributes:
        addresses: The nodes.
    """

    def __init__(
        self,
        source: NodeSource,
        addresses: Sequence[NodeAddress],
        clock: Callable[[], datetime],
        *,
        speed: float = 1.0,
    ) -> None:
        """Ask nothing yet. With a higher speed all waits are shorter."""
        self.addresses = addresses
        self._source = source
        self._clock = clock
        self._speed = speed
        self._rows: dict[str, NodeRow] = {}
        self._changed = asyncio.Event()
        self._hints = {each.url: asyncio.Event() for each in addresses}
        self._streaming: set[str] = set()

    @property
    def rows(self) -> list[NodeRow]:
        """The rows of the nodes that were asked, in the order of the addresses."""
        return [self._rows[each.url] for each in self.addresses if each.url in self._rows]

    async def run(self, draw: Callable[[], Awaitable[bool]], redraw: float | None) -> None:
        """Call `draw` after changes, and after so many seconds without one, until it is false."""
        follow = [self._poll, self._stream]
        tasks = [asyncio.create_task(each(node)) for node in self.addresses for each in follow]
        try:
            while await draw():
                with suppress(TimeoutError):
                    async with asyncio.timeout(redraw):
                        await self._changed.wait()
                await self._sleep(SETTLE)
                self._changed.clear()
        finally:
            for each in tasks:
                each.cancel()

    async def _poll(self, address: NodeAddress) -> None:
        url, hint = address.url, self._hints[address.url]
        while True:
            self._update(url, make_row(address, await self._source.ask(url)))
            await self._sleep(MIN_PAUSE)
            pause = STREAM_POLL if url in self._streaming else POLL
            with suppress(TimeoutError):
                async with asyncio.timeout((pause - MIN_PAUSE) / self._speed):
                    await hint.wait()
            hint.clear()

    async def _stream(self, address: NodeAddress) -> None:
        url = address.url
        while True:
            async for _ in self._source.updates(url):
                self._streaming.add(url)
                self._hints[url].set()
            if url in self._streaming:  # the node may have gone
                self._streaming.remove(url)
                self._hints[url].set()
            await self._sleep(RECONNECT)

    def _update(self, url: str, row: NodeRow) -> None:
        before = self._rows.get(url)
        if row.status is NodeState.NO_ANSWER:
            is_same = before is not None and before.status is NodeState.NO_ANSWER
            row = replace(row, since=before.since if before and is_same else self._clock())
        if row != before:
            self._rows[url] = row
            self._changed.set()

    async def _sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds / self._speed)
