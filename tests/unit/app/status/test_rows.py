"""The row of a node, and the exit code."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dstack_backend.app.status.rows import NodeRow, NodeState, exit_code, make_row
from dstack_backend.domain.check import CheckFailure, Reason
from dstack_backend.domain.status import Status
from tests.unit.app.status.answers import NODE, NOW, answer, lost

UNAVAILABLE = {"status": Status.UNAVAILABLE, "inventory": None}


def test_available_node_has_its_gpus_and_its_uptime() -> None:
    """The counts are those of the inventory."""
    assert make_row(NODE, answer()) == NodeRow(
        url="http://gpu-01:8080",
        name="gpu-01",
        status=NodeState.AVAILABLE,
        since=NOW - timedelta(hours=1),
        message="8 GPUs, 5 free",
        gpus_in_use=3,
        gpus_free=5,
        gpus_missing=0,
        uptime_24h=99.5,
        uptime_30d=97.25,
    )


def test_node_tells_its_name() -> None:
    """Without one it is called as its address."""
    assert make_row(NODE, answer(node="berlin-7")).name == "berlin-7"
    assert make_row(NODE, answer(node="")).name == "gpu-01"


def test_degraded_node_names_the_missing_gpus_since_the_first_loss() -> None:
    """A few of them; an available node of the same age is older."""
    gpus = tuple(lost(f"{number}b:00.0", 30 - number) for number in range(5))
    row = make_row(NODE, answer(degraded=True, missing=gpus))
    assert (row.status, row.gpus_missing) == (NodeState.DEGRADED, 5)
    assert row.message == "missing: 0b:00.0, 1b:00.0, 2b:00.0 and 2 more"
    assert row.since == NOW - timedelta(minutes=30)


def test_degraded_node_without_gpus_says_so() -> None:
    """Nothing is missing where nothing was ever listed."""
    row = make_row(NODE, answer(degraded=True, message="no GPUs: the source lists none"))
    assert (row.status, row.message) == (NodeState.DEGRADED, "no GPUs: the source lists none")
    assert row.since == NOW - timedelta(hours=1)


@pytest.mark.parametrize(
    ("reason", "state"),
    [
        ("stale", NodeState.STALE),
        ("connection_refused", NodeState.UNAVAILABLE),
        ("of_a_later_version", NodeState.UNAVAILABLE),
    ],
)
def test_unavailable_node_has_a_reason_and_no_gpus(reason: str, state: NodeState) -> None:
    """What is missing is known all the same."""
    row = make_row(
        NODE,
        answer(reason=reason, message="Why", degraded=True, missing=(lost("a", 1),), **UNAVAILABLE),
    )
    assert (row.status, row.reason, row.message) == (state, reason, "Why")
    assert (row.gpus_in_use, row.gpus_free, row.gpus_missing) == (None, None, 1)
    assert row.since == NOW - timedelta(hours=1)


def test_node_without_an_answer_is_a_row() -> None:
    """With the reason, and nothing else."""
    row = make_row(NODE, CheckFailure(Reason.TIMED_OUT, "no answer within 5 s"))
    assert row == NodeRow(
        url="http://gpu-01:8080",
        name="gpu-01",
        status=NodeState.NO_ANSWER,
        reason="timed_out",
        message="Connection error: no answer within 5 s",
    )


@pytest.mark.parametrize(
    "inventory",
    [
        *(None, {}, [], "8", {"slots": 3}, {"gpu_count": "8", "free_gpu_count": 5}),
        *({"gpu_count": 8, "free_gpu_count": 9}, {"gpu_count": True, "free_gpu_count": False}),
        *({"gpu_count": 10**40, "free_gpu_count": 1}, {"gpu_count": 8, "free_gpu_count": -1}),
    ],
)
def test_inventory_of_other_resources_has_no_counts(inventory: object) -> None:
    """An embedder's inventory is any object."""
    row = make_row(NODE, answer(inventory=inventory, missing=None))
    assert (row.gpus_in_use, row.gpus_free, row.gpus_missing) == (None, None, None)
    assert row.status is NodeState.AVAILABLE


@given(st.text(), st.text(), st.text(), st.text())
def test_texts_of_a_node_are_printable_and_bounded(
    node: str, reason: str, message: str, slot: str
) -> None:
    """Whatever answers at the address."""
    texts = {"node": node * 99, "reason": reason * 99, "message": message * 99}
    gpus = (lost(slot * 99, 1),)
    for row in (
        make_row(NODE, answer(**texts, **UNAVAILABLE)),
        make_row(NODE, answer(**texts, degraded=True, missing=gpus * 9)),
    ):
        for text in (row.name, row.reason or "", row.message):
            assert text.isprintable()
            assert len(text) <= 303


@pytest.mark.parametrize("state", NodeState)
def test_exit_code_is_0_only_if_all_are_available(state: NodeState) -> None:
    """A degraded node is not complete."""
    good = make_row(NODE, answer())
    other = NodeRow(url="", name="", status=state, message="")
    assert exit_code([good, good]) == 0
    assert exit_code([good, other]) == (0 if state is NodeState.AVAILABLE else 1)
