"""What an earlier process stored is passed on once, as it was."""

import asyncio

from dstack_backend.domain.history import StoredHistory
from tests.unit.app.history.harness import FaultyStore, HistoryHarness, eventually, play
from tests.unit.history_entries import at, down, up


def test_stored_history_is_passed_on_once_without_what_came_since() -> None:
    """Also where the file is replaced later, and loaded again."""
    harness = HistoryHarness(FaultyStore([down(-500, 1)], at(-5)))
    loaded: list[StoredHistory] = []

    async def scenario() -> None:
        task = asyncio.create_task(harness.log.run(None, loaded.append))
        harness.change(up=True)
        await eventually(lambda: harness.store.appends)
        harness.store.replace([up(-9, 7)], at(-5))
        await harness.beat()
        task.cancel()
        await asyncio.wait({task})

    play(scenario)
    (stored,) = loaded
    assert (list(stored.entries), stored.alive_at) == ([down(-500, 1)], at(-5))
