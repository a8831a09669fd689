"""The log against a plain model, for any sequence of changes, failures, restarts and kills."""

from hypothesis import given, settings
from hypothesis import strategies as st

from dstack_backend.domain import Status
from dstack_backend.domain.history import GapCause, HistoryError
from dstack_backend.testing.fakes import EPOCH
from tests.unit.app.history.harness import FaultyStore, HistoryHarness, eventually, play

Seen = list[Status | GapCause | None]

STEPS = st.sampled_from(
    ["up", "down", "beat", "fail", "recover", "suspend", "empty", "restart", "kill"]
)


class Model:
    """What readers must see: the saved entries, and those of this run."""

    def __init__(self) -> None:
        self.entries: Seen = []
        self.current: Status | None = None

    def change(self, status: Status) -> None:
        """Add a change, unless the status stays the same."""
        if status is not self.current:
            self.entries.append(status)
        self.current = status

    def suspend(self) -> None:
        """Add a suspension, where a status holds."""
        if self.current:
            self.entries += [GapCause.SUSPENDED, self.current]

    def restart(self, saved: int) -> None:
        """Lose what is not saved, and add the gap after it."""
        self.entries = self.entries[:saved]
        if self.entries and isinstance(self.entries[-1], Status):
            self.entries.append(GapCause.STOPPED)
        self.current = None


class Scenario:
    """Runs one process after another on one store, and compares each step with the model."""

    def __init__(self) -> None:
        self.model = Model()
        self.store = FaultyStore()
        self.second = 0.0

    async def play(self, steps: list[str]) -> None:
        """Follow all steps, then start once more and compare the store."""
        todo = [*steps, "restart"]
        while todo:
            todo = await self.run(todo)
        await self.run(["restart"])
        entries = self.store.load().entries
        assert [entry.after or entry.gap for entry in entries] == self.model.entries
        numbers = [entry.number for entry in entries]
        assert numbers == sorted(set(numbers))

    async def run(self, todo: list[str]) -> list[str]:
        """Start a process, follow the steps to its end, and return the other steps."""
        harness = HistoryHarness(self.store)
        await harness.clock.advance(self.second)
        async with harness.running():
            await eventually(lambda: harness.clock.waiting)
            assert await harness.seen() == self.model.entries
            while todo[0] not in {"restart", "kill"}:
                await self.follow(harness, todo[0])
                assert await harness.seen() == self.model.entries
                todo = todo[1:]
            self.store.error = None
            self.second = 1 + (harness.clock.utc() - EPOCH).total_seconds()
            saved = len(self.model.entries)
            if todo[0] == "kill":  # what the process does after this is not seen
                stored = self.store.load()
                self.store = FaultyStore(stored.entries, stored.alive_at)
                saved = len(stored.entries)
        self.model.restart(saved)
        return todo[1:]

    async def follow(self, harness: HistoryHarness, step: str) -> None:
        """Follow a step, and wait until the log has tried to save it."""
        match step:
            case "up" | "down":
                appends, known = harness.store.appends, len(self.model.entries)
                harness.change(up=step == "up")
                self.model.change(Status.AVAILABLE if step == "up" else Status.UNAVAILABLE)
                if len(self.model.entries) > known:
                    await eventually(lambda: harness.store.appends > appends)
                    await eventually(lambda: harness.clock.waiting)
            case "beat":
                await harness.beat()
            case "fail":
                harness.store.error = HistoryError("disk full")
            case "recover":
                harness.store.error = None
            case "suspend":
                harness.clock.suspend(100)
                harness.check()
                self.model.suspend()
            case _:
                harness.store.replace()


@settings(max_examples=60, deadline=None)
@given(st.lists(STEPS, max_size=25))
def test_readers_see_what_the_model_predicts(steps: list[str]) -> None:
    """Whatever happens, only a kill before a save loses entries, and none is added twice."""
    play(lambda: Scenario().play(steps))
