"""Sending: to each address by itself, retries, the start, and the end."""

import asyncio
import threading

import pytest

from dstack_backend.app.monitoring.clock import read
from dstack_backend.domain.gpu import (
    Gpu,
    GpuChange,
    GpuChangeKind,
    GpuInventory,
    GpuState,
    track,
)
from dstack_backend.domain.history import StoredHistory
from dstack_backend.domain.notification import Level, NotifyPolicy
from tests.unit.app.history.harness import eventually, play
from tests.unit.app.notify.harness import FakeTarget, NotifyHarness
from tests.unit.history_entries import at, down

NOTHING = StoredHistory()


def test_outage_and_return_are_sent_to_each_address() -> None:
    """With the times of the rules."""
    harness = NotifyHarness(FakeTarget(), FakeTarget())

    async def scenario() -> None:
        async with harness.running():
            harness.notifications.on_load(NOTHING)
            harness.down()
            await harness.clock.advance(59)
            assert harness.targets[0].tries == 0
            await harness.clock.advance(1)
            await harness.tries(1)
            harness.up()
            await harness.clock.advance(300)
            await harness.tries(2)
            await harness.tries(2, target=1)

    play(scenario)
    for target in harness.targets:
        assert target.sent == ["unavailable", "available"]


def test_gpus_that_are_lost_are_sent_and_their_use_is_not() -> None:
    """At once."""
    harness = NotifyHarness()
    gpu = Gpu(slot="3b:00.0", product_id="10de:2335", description="", is_free=True)

    async def scenario() -> None:
        async with harness.running():
            harness.notifications.on_load(NOTHING)
            harness.up()
            for kind in (GpuChangeKind.ALLOCATED, GpuChangeKind.LOST):
                change = GpuChange(kind, at(0), gpu, at(0))
                harness.notifications.on_gpus(GpuState(seen_at=at(0), changes=(change,)))
            await harness.tries(1)

    play(scenario)
    assert harness.targets[0].sent == ["gpu_lost"]


def test_listing_without_gpus_is_sent_and_the_first_gpus_are() -> None:
    """Each once, whatever later checks list."""
    harness = NotifyHarness()
    gpu = Gpu(slot="3b:00.0", product_id="10de:2335", description="", is_free=True)
    state: GpuState | None = None

    def check(*gpus: Gpu) -> None:
        nonlocal state
        state = track(state, GpuInventory(gpus=gpus), read(harness.clock), 35)
        harness.notifications.on_gpus(state)

    async def scenario() -> None:
        async with harness.running():
            harness.notifications.on_load(NOTHING)
            check()
            harness.up()
            for _ in range(6):
                assert harness.targets[0].tries == 0
                await harness.clock.advance(10)
                check()
            await harness.tries(1)
            check(gpu)
            check(gpu)
            await harness.clock.advance(300)
            await harness.tries(2)

    play(scenario)
    assert harness.targets[0].sent == ["no_gpus", "gpus_listed"]


def test_refused_message_is_sent_again_with_what_has_happened_since(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """After 30 s, doubled up to 10 min. The log has a line when it begins, and one when it ends."""
    harness = NotifyHarness(FakeTarget("ntfy"), hint="; see a command")
    (target,) = harness.targets
    target.accepts = False
    caplog.set_level("INFO")

    async def scenario() -> None:
        async with harness.running():
            harness.notifications.on_load(NOTHING)
            harness.down()
            await harness.clock.advance(60)
            await harness.tries(1)
            harness.up()
            for number, pause in enumerate([30, 60, 120, 240, 480, 600, 600], 2):
                await harness.clock.advance(pause - 1)
                assert target.tries == number - 1
                await harness.clock.advance(1)
                await harness.tries(number)
            target.accepts = True
            await harness.clock.advance(600)
            await harness.tries(9)

    play(scenario)
    assert target.sent == ["unavailable available"]
    assert set(target.levels) == {Level.FAILURE}
    assert [record.getMessage() for record in caplog.records] == [
        "no message could be sent to address 1 (ntfy); retrying; see a command",
        "messages to address 1 (ntfy) are sent again",
    ]


def test_address_that_raises_counts_as_refused() -> None:
    """Its exception is not logged: it may contain the address."""
    harness = NotifyHarness()
    (target,) = harness.targets
    target.error = RuntimeError("https://token@host")

    async def scenario() -> None:
        async with harness.running():
            harness.notifications.on_load(NOTHING)
            harness.down()
            await harness.clock.advance(60)
            await harness.tries(1)
            target.error = None
            await harness.clock.advance(30)
            await harness.tries(2)

    play(scenario)
    assert target.sent == ["unavailable"]


def test_address_that_hangs_delays_neither_others_nor_the_end() -> None:
    """Its thread does not keep the process alive."""
    harness = NotifyHarness(FakeTarget(), FakeTarget())
    harness.targets[0].answering.clear()

    async def scenario() -> None:
        async with harness.running():
            harness.notifications.on_load(NOTHING)
            harness.down()
            await harness.clock.advance(60)
            await eventually(lambda: harness.targets[0].tries)
            harness.up()
            await harness.clock.advance(300)
            await harness.tries(2, target=1)
            threads = [each for each in threading.enumerate() if each.name == "notifier"]
            assert [each.daemon for each in threads] == [True]

    play(scenario)
    assert harness.targets[0].tries == 1
    assert harness.targets[1].sent == ["unavailable", "available"]
    harness.targets[0].answering.set()


def test_events_for_an_address_that_refuses_are_bounded() -> None:
    """The last ones are sent."""
    harness = NotifyHarness(policy=NotifyPolicy(after=1, every=1))
    (target,) = harness.targets
    target.accepts = False

    async def scenario() -> None:
        async with harness.running():
            harness.notifications.on_load(NOTHING)
            for _ in range(100):
                harness.down()
                await harness.clock.advance(2)
                harness.up()
                await harness.clock.advance(2)
                await asyncio.sleep(0.001)
            target.accepts = True
            while not target.sent:  # a thread may still hold the last message that was refused
                await harness.clock.advance(600)
                await asyncio.sleep(0.001)

    play(scenario)
    assert target.sent[0].split()[-2:] == ["unavailable", "available"]
    assert len(target.sent[0].split()) == 100


def test_new_process_continues_what_the_earlier_one_told() -> None:
    """What the first check found before the history was loaded counts as after it."""
    harness = NotifyHarness()

    async def scenario() -> None:
        async with harness.running():
            harness.up()
            await harness.clock.advance(5)
            assert harness.targets[0].tries == 0
            harness.notifications.on_load(StoredHistory([down(-500)], at(-5)))
            await harness.clock.advance(1)
            await harness.tries(1)

    play(scenario)
    assert harness.targets[0].sent == ["available"]


def test_absence_is_told_with_the_result_of_the_first_check() -> None:
    """One message says that the service runs again, and what became of the outage."""
    harness = NotifyHarness()

    async def scenario() -> None:
        async with harness.running():
            harness.notifications.on_load(StoredHistory([down(-5000)], at(-1000)))
            await harness.clock.advance(5)
            assert harness.targets[0].tries == 0
            harness.up()
            await harness.tries(1)

    play(scenario)
    assert harness.targets[0].sent == ["not_running available"]


def test_history_that_cannot_be_loaded_delays_no_message() -> None:
    """It counts as empty after 10 s, also where it is loaded later."""
    harness = NotifyHarness(policy=NotifyPolicy(after=0))

    async def scenario() -> None:
        async with harness.running():
            harness.down()
            await harness.clock.advance(9)
            assert harness.targets[0].tries == 0
            await harness.clock.advance(1)
            await harness.tries(1)
            harness.notifications.on_load(StoredHistory([down(-5000)], at(-1000)))
            await harness.clock.advance(400)

    play(scenario)
    assert harness.targets[0].sent == ["unavailable"]


def test_second_run_continues_on_another_event_loop() -> None:
    """As an application does whose lifespan begins again."""
    harness = NotifyHarness()

    async def first() -> None:
        async with harness.running():
            harness.notifications.on_load(NOTHING)
            harness.down()
            await harness.clock.advance(30)

    async def second() -> None:
        async with harness.running():
            await harness.clock.advance(30)
            await harness.tries(1)

    play(first)
    play(second)
    assert harness.targets[0].sent == ["unavailable"]
