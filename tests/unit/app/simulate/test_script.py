"""The lines of a script of `simulate`, and what each changes."""

import asyncio

import pytest

from dstack_backend.app.simulate.node import SimulatedNode
from dstack_backend.app.simulate.script import expected_results, parse_line
from dstack_backend.domain import GpuInventory
from dstack_backend.testing.faults import FAULTS, HOSTILE_ANSWERS
from dstack_backend.testing.simulated_dstack import SimulatedDStack


def run(*lines: str) -> SimulatedNode:
    """Run lines on a node that does not listen."""

    async def run_all() -> SimulatedNode:
        node = SimulatedNode(SimulatedDStack(), asyncio.Event())
        for line in lines:
            command = parse_line(line)
            assert command
            result = command(node)
            if result is not None:
                await result
        return node

    return asyncio.run(run_all())


def test_lines_change_the_gpus() -> None:
    """The last of them are free, and fewer GPUs leave fewer of them free."""
    gpus = run("gpus 4", "free 3", "product-id 10DE:26B9", "gpus 2").dstack.gpus
    assert [(gpu.product_id, gpu.is_free) for gpu in gpus] == [("10de:26b9", True)] * 2
    assert [gpu.is_free for gpu in run("gpus 3", "free 1", "gpus 3").dstack.gpus] == [0, 0, 1]
    assert all(gpu.is_free for gpu in run("free 1", "free all").dstack.gpus)


def test_lines_change_single_gpus() -> None:
    """By slot, as listed or with the PCI domain, or by number."""
    gpus = run("lose 0000:3B:00.0", "lose 7", "allocate 19:00.0", "replace 2 10de:2330").dstack.gpus
    assert [(gpu.slot, gpu.product_id[5:], gpu.is_free) for gpu in gpus] == [
        ("19:00.0", "2335", False),
        ("4c:00.0", "2330", True),
        ("5d:00.0", "2335", True),
        ("9b:00.0", "2335", True),
        ("bb:00.0", "2335", True),
        ("cb:00.0", "2335", True),
    ]
    undone = run("lose 1", "lose 1", "return 1", "return 1", "allocate 0", "release 0").dstack.gpus
    assert undone == run("ok").dstack.gpus
    replaced = run("lose 3b:00.0", "replace 3b:00.0 10de:2335").dstack.gpus
    assert replaced == undone


@pytest.mark.parametrize("line", ["gpus 8", "free all", "product-id 10de:2335"])
def test_lines_about_all_gpus_undo_those_about_single_ones(line: str) -> None:
    """The other lines keep them."""
    changes = ("lose 0", "allocate 1", "replace 2 10de:2330")
    assert run(*changes, line).dstack.gpus == run("ok").dstack.gpus
    assert run(*changes, "nvswitches 0", "ok").dstack.gpus == run(*changes).dstack.gpus


def test_nvswitches_are_listed_beside_the_gpus() -> None:
    """They are not GPUs, and stay while the GPUs change."""
    dstack = run("nvswitches 4", "gpus 2", "lose 0").dstack
    inventory = GpuInventory.from_devices(dstack.gpus)
    assert (len(inventory.gpus), len(inventory.other_devices)) == (1, 4)
    assert run("nvswitches 16", "nvswitches 0").dstack.gpus == run("ok").dstack.gpus


@pytest.mark.parametrize(
    ("count", "slot", "message"),
    [
        (2, "3c:00.0", "no GPU has the slot '3c:00.0'; the slots are 19:00.0, 3b:00.0"),
        (2, "2", "no GPU has the slot '2'; the slots are 19:00.0, 3b:00.0"),
        (0, "0", "no GPU has the slot '0'; the slots are none"),
        (1000, "x" * 9999, "...'; the slots are 19:00.0, 3b:00.0, .* and 984 more"),
    ],
)
def test_unknown_slot_is_rejected_with_the_slots(count: int, slot: str, message: str) -> None:
    """The message is bounded."""
    with pytest.raises(ValueError, match=message) as caught:
        run(f"gpus {count}", f"lose {slot}")
    assert len(str(caught.value)) < 400


def test_lines_change_the_answers() -> None:
    """Latency, token and fault apply to the requests that follow."""
    dstack = run("latency .5", "token a b", "fault status-500").dstack
    assert (dstack.latency, dstack.token) == (0.5, "a b")
    assert dstack.behaviour is FAULTS["status-500"].behaviour
    healthy = run("token x", "token", "fault status-500", "ok").dstack
    assert (healthy.token, healthy.behaviour) == (None, None)


def test_end_sets_the_event_and_wait_0_continues() -> None:
    """The command that waits for the event ends the simulation."""
    assert run("wait 0", "end").ended.is_set()
    assert not run("ok").ended.is_set()


def test_more_free_gpus_than_gpus_are_rejected() -> None:
    """The message has both numbers."""
    with pytest.raises(ValueError, match="there are 8 GPUs, so 9 cannot be free"):
        run("free 9")


@pytest.mark.parametrize("line", ["", "   ", "# crash", "  # wait a bit"])
def test_empty_lines_and_comments_are_not_commands(line: str) -> None:
    """They are for the reader of the script."""
    assert parse_line(line) is None


@pytest.mark.parametrize(
    "line",
    [
        *("crash now", "ok then", "wait", "wait -1", "end 1", "CRASH", "nvswitches 17"),
        *("lose", "return a b", "replace", "replace 3b:00.0", "replace 3b:00.0 H100"),
    ],
)
def test_wrong_or_missing_arguments_are_rejected(line: str) -> None:
    """No part of such a line runs."""
    with pytest.raises(ValueError, match=r"'|not a command"):
        parse_line(line)


def test_expected_results_contain_each_fault() -> None:
    """The reason that a check ends with; `available` for answers that are valid."""
    results = expected_results()
    assert results.keys() == FAULTS.keys() | HOSTILE_ANSWERS.keys()
    assert results["reset-in-body"] == "connection_closed"
    assert {results[name] for name in HOSTILE_ANSWERS} == {"available"}
