"""The report of the command `gpus`, and its tables."""

import re
from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dstack_backend.app.cli.commands.gpus_table import as_text, stored_gpu_report
from dstack_backend.app.cli.commands.stored import is_running
from dstack_backend.app.errors import UserError
from dstack_backend.domain.gpu import Gpu, GpuInventory, StoredGpus, TrackedGpu, UsePeriod, track
from dstack_backend.domain.gpu.use import period_of
from dstack_backend.domain.history import HistoryEntry, StoredHistory
from dstack_backend.domain.timestamp import Timestamp
from tests.unit.history_entries import at, down, up

NOW = at(3600)


def gpu(slot: str, *, is_free: bool = True) -> Gpu:
    """Return an H200."""
    return Gpu(slot=slot, product_id="10de:2335", description="", is_free=is_free)


def stored(
    *listings: list[Gpu], entries: tuple[HistoryEntry, ...] = (up(0),), alive_at: datetime = NOW
) -> StoredHistory:
    """Return what is stored after checks that listed these, a minute apart."""
    state = None
    for number, listed in enumerate(listings):
        checked = Timestamp(60.0 * number, at(60.0 * number))
        state = track(state, GpuInventory(gpus=tuple(listed)), checked, 100.0)
    use = [UsePeriod(period_of(at(0)), {"3b:00.0": (900.0, 900.0), "5e:00.0": (0.0, 1800.0)})]
    return StoredHistory(entries, alive_at, state.stored if state else None, use)


BOTH = [gpu("3b:00.0", is_free=False), gpu("5e:00.0")]


def lines(history: StoredHistory, now: datetime = NOW) -> list[str]:
    """Return the lines of the report."""
    return as_text(stored_gpu_report(history, now), now).splitlines()


def test_each_gpu_is_a_row_with_its_state_and_its_use() -> None:
    """The last row is that of all together; what is unknown is a dash, and counts as neither."""
    history = stored([*BOTH, gpu("86:00.0")])
    rows = [line.split() for line in lines(history)]
    assert lines(history)[0] == "3 GPUs, 2 free"
    since = ["2026-01-01", "00:00:00"]
    assert ["3b:00.0", "H200", "SXM", "141GB", "in", "use", *since, *(["50", "%"] * 3)] in rows
    assert ["5e:00.0", "H200", "SXM", "141GB", "free", *since, *(["0", "%"] * 3)] in rows
    assert ["86:00.0", "H200", "SXM", "141GB", "free", *since, "-", "-", "-"] in rows
    assert ["all", "GPUs", *(["25", "%"] * 3)] in rows


def test_missing_gpu_is_above_the_others_with_its_age() -> None:
    """With what to do."""
    found = lines(stored(BOTH, BOTH[1:], BOTH[1:]))
    assert found[0] == "1 GPU, 1 free, 1 missing"
    assert re.split(" {3,}", found[3]) == [
        "3b:00.0",
        "H200 SXM 141GB",
        "2026-01-01 00:00:00",
        "1 h",
    ]
    assert "lspci -s SLOT" in "\n".join(found[4:8])
    assert "gpus --forget SLOT" in "\n".join(found[4:10])


def test_no_listed_gpu_is_said() -> None:
    """Without a table and its legend, and with what to do."""
    found = lines(stored([]))
    assert found[:3] == ["no GPU is listed", "", "dstack-backend doctor finds the cause."]
    assert len(found) == 4


@pytest.mark.parametrize(
    ("entries", "alive_at", "current"),
    [
        ((up(0),), NOW, True),
        ((up(0),), at(3585), True),
        ((up(0),), at(3500), False),
        ((up(0),), at(3700), False),
        ((up(0), down(3000)), NOW, False),
    ],
)
def test_data_are_current_while_the_service_runs_and_dstack_answers(
    entries: tuple[HistoryEntry, ...],
    alive_at: datetime,
    current: bool,  # noqa: FBT001 - of the table above
) -> None:
    """Otherwise the time of the data is in the text."""
    history = stored(BOTH, entries=entries, alive_at=alive_at)
    assert stored_gpu_report(history, NOW).current is current
    text = "\n".join(lines(history))
    assert ("the data are current" in text) is current
    assert ("The data are not current" in text) is not current


def test_data_of_an_outage_are_those_from_before_it() -> None:
    """The service runs and knows no newer ones."""
    history = stored(BOTH, entries=(up(0), down(3000)))
    assert is_running(history, NOW)
    assert lines(history)[-1].endswith("those of 2026-01-01 00:50:00 UTC.")


@pytest.mark.parametrize("history", [stored(), StoredHistory(gpus=StoredGpus())])
def test_unknown_gpus_are_one_line_and_exit_code_1(history: StoredHistory) -> None:
    """As in a history of before the first check."""
    with pytest.raises(UserError, match="no GPUs are known") as raised:
        stored_gpu_report(history, NOW)
    assert raised.value.exit_code == 1


@given(
    st.lists(
        st.builds(
            Gpu, slot=st.text(), product_id=st.text(), description=st.text(), is_free=st.booleans()
        ),
        max_size=9,
    )
)
def test_hostile_texts_are_cells_of_a_bounded_table(gpus: list[Gpu]) -> None:
    """Whatever DStack sent: no control character, and no line that is longer than a few cells."""
    long = Gpu(slot="\x1b" * 5000, product_id="\u202e" * 5000, description="", is_free=True)
    for line in lines(stored([*gpus, long], [], [])) + lines(stored([*gpus, long])):
        assert line.isprintable()
        assert len(line) < 200


def test_file_of_a_service_with_1000_gpus_is_printed() -> None:
    """Each of them."""
    present = tuple(TrackedGpu(gpu(f"{number:04x}:00:00.0"), at(0)) for number in range(1000))
    history = StoredHistory([up(0)], NOW, StoredGpus(present))
    assert sum("H200" in line for line in lines(history)) == 1000
