"""Following nodes: asked again after an event, and otherwise by polling."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from datetime import datetime, timedelta

from dstack_backend.adapters.httpx_status import NodeAnswer
from dstack_backend.app.status.addresses import parse_address
from dstack_backend.app.status.rows import NodeState
from dstack_backend.app.status.watch import Watch, ask_all
from dstack_backend.domain.check import CheckFailure, Reason
from tests.unit.app.history.harness import eventually
from tests.unit.app.status.answers import NOW, answer

SPEED = 100.0
GONE = CheckFailure(Reason.CONNECTION_REFUSED)
NODES = [parse_address(f"gpu-{number:02}") for number in range(1, 21)]
FIRST = NODES[0].url


class FakeNodes:
    """Nodes whose answers a test sets.

    Attributes:
        answers: What each node answers; by default it is available.
        asked: How often each node was asked.
        most_at_once: How many nodes were asked at the same time at most.
        stream: The events of a node, if it has a stream; `None` ends the stream.
    """

    def __init__(self) -> None:
        self.answers: dict[str, NodeAnswer | CheckFailure] = {}
        self.asked: dict[str, int] = {}
        self.most_at_once = 0
        self.stream: asyncio.Queue[str | None] | None = None
        self.opened = 0
        self._at_once = 0

    async def ask(self, url: str) -> NodeAnswer | CheckFailure:
        """Return the answer of a node after the others were asked."""
        self.asked[url] = self.asked.get(url, 0) + 1
        self._at_once += 1
        self.most_at_once = max(self.most_at_once, self._at_once)
        await asyncio.sleep(0.01)
        self._at_once -= 1
        return self.answers.get(url, answer())

    async def updates(self, url: str) -> AsyncGenerator[None]:
        """Yield the events of the first node; others have no stream."""
        if url == FIRST and self.stream:
            self.opened += 1
            while await self.stream.get():
                yield


def test_all_nodes_are_asked_at_once() -> None:
    """The rows are in the order of the addresses."""
    nodes = FakeNodes()
    nodes.answers[NODES[3].url] = GONE
    rows = asyncio.run(ask_all(nodes, NODES))
    assert nodes.most_at_once == len(NODES)
    assert [each.name for each in rows] == [each.name for each in NODES]
    assert [each.status is NodeState.NO_ANSWER for each in rows].index(True) == 3


class Viewer:
    """Draws as often as it is asked to, and lets a test wait for a state of the rows."""

    def __init__(self, watch: Watch) -> None:
        self._watch = watch
        self._wanted: Callable[[], bool] = lambda: False
        self._seen = asyncio.Event()

    async def draw(self) -> bool:
        """Look at the rows."""
        if self._wanted():
            self._seen.set()
        return True

    async def see(self, *states: NodeState) -> None:
        """Wait until the rows have these states."""
        self._seen.clear()
        self._wanted = lambda: [each.status for each in self._watch.rows] == list(states)
        async with asyncio.timeout(10):
            await self._seen.wait()


def run(
    test: Callable[[FakeNodes, Watch, Viewer], object],
    clock: Callable[[], datetime] = lambda: NOW,
    speed: float = SPEED,
) -> None:
    """Run a test while the first two nodes are watched."""

    async def main() -> None:
        nodes = FakeNodes()
        nodes.stream = asyncio.Queue()
        watch = Watch(nodes, NODES[:2], clock, speed=speed)
        viewer = Viewer(watch)
        running = asyncio.create_task(watch.run(viewer.draw, 0.02))
        try:
            await test(nodes, watch, viewer)  # type: ignore[misc]
        finally:
            running.cancel()

    asyncio.run(main())


AVAILABLE, NO_ANSWER = NodeState.AVAILABLE, NodeState.NO_ANSWER


def test_node_without_a_stream_is_polled() -> None:
    """It goes, and it comes back."""

    async def check(nodes: FakeNodes, _: Watch, viewer: Viewer) -> None:
        await viewer.see(AVAILABLE, AVAILABLE)
        nodes.answers[NODES[1].url] = GONE
        await viewer.see(AVAILABLE, NO_ANSWER)
        del nodes.answers[NODES[1].url]
        await viewer.see(AVAILABLE, AVAILABLE)

    run(check)


def test_node_with_a_stream_is_asked_after_its_events() -> None:
    """Long before it would be polled, and again when the stream breaks."""

    async def check(nodes: FakeNodes, _: Watch, viewer: Viewer) -> None:
        assert nodes.stream
        await viewer.see(AVAILABLE, AVAILABLE)
        nodes.stream.put_nowait("event")
        nodes.answers[FIRST] = GONE
        await viewer.see(NO_ANSWER, AVAILABLE)
        del nodes.answers[FIRST]
        nodes.stream.put_nowait(None)
        await viewer.see(AVAILABLE, AVAILABLE)
        assert nodes.asked[NODES[1].url] == 1, "the time to poll has come"

    run(check, speed=1.0)


def test_stream_that_ended_is_opened_again() -> None:
    """The service ends streams after some minutes."""

    async def check(nodes: FakeNodes, __: Watch, viewer: Viewer) -> None:
        assert nodes.stream
        await viewer.see(AVAILABLE, AVAILABLE)
        for _ in range(3):
            nodes.stream.put_nowait("event")
            nodes.stream.put_nowait(None)
        await eventually(lambda: nodes.opened >= 3)

    run(check)


def test_many_events_are_one_question() -> None:
    """A node that is checked ten times a second is not asked as often."""

    async def check(nodes: FakeNodes, __: Watch, viewer: Viewer) -> None:
        assert nodes.stream
        await viewer.see(AVAILABLE, AVAILABLE)
        for _ in range(1000):
            nodes.stream.put_nowait("event")
        await asyncio.sleep(0.1)
        assert nodes.stream.empty()
        assert nodes.asked[FIRST] == 1

    run(check, speed=1.0)


def test_silence_of_a_node_has_a_beginning() -> None:
    """It is that of the first question without an answer."""
    times = iter(NOW + timedelta(seconds=number) for number in range(1000))

    async def check(nodes: FakeNodes, watch: Watch, viewer: Viewer) -> None:
        await viewer.see(AVAILABLE, AVAILABLE)
        nodes.answers[NODES[1].url] = GONE
        await viewer.see(AVAILABLE, NO_ANSWER)
        asked = nodes.asked[NODES[1].url]
        await eventually(lambda: nodes.asked[NODES[1].url] >= asked + 3)
        assert watch.rows[1].since == NOW

    run(check, lambda: next(times))


def test_watch_ends_with_its_reader() -> None:
    """`draw` returns false where the pipe is closed."""

    async def draw() -> bool:
        return False

    async def main() -> None:
        async with asyncio.timeout(5):
            await Watch(FakeNodes(), NODES, lambda: NOW).run(draw, None)
        await eventually(lambda: len(asyncio.all_tasks()) == 1)

    asyncio.run(main())
