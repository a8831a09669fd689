"""What counts as news, and what does not."""

import pytest

from dstack_backend.domain import (
    CheckFailure,
    CheckResult,
    Gpu,
    GpuInventory,
    Reason,
    Timestamp,
    assess,
    change_between,
)
from dstack_backend.testing.fakes import EPOCH

AT = Timestamp(5.0, EPOCH)
GPU = Gpu(slot="3b:00.0", product_id="10de:2335", description="NVIDIA Corporation", is_free=True)
ONE = GpuInventory(gpus=(GPU,))
TWO = GpuInventory(gpus=(GPU, GPU))
NONE = GpuInventory()
REFUSED = CheckFailure(Reason.CONNECTION_REFUSED)
CLOSED = CheckFailure(Reason.CONNECTION_CLOSED)
STALE_37 = CheckFailure(Reason.STALE, "the last check finished 37 s ago")
STALE_38 = CheckFailure(Reason.STALE, "the last check finished 38 s ago")


@pytest.mark.parametrize(
    ("before", "after", "turned"),
    [
        (REFUSED, ONE, True),
        (ONE, REFUSED, True),
        (ONE, STALE_37, True),
        (REFUSED, CLOSED, False),
        (STALE_37, REFUSED, False),
        (ONE, NONE, False),
        (NONE, ONE, False),
    ],
)
def test_another_status_reason_or_disappearance_of_all_gpus_is_news(
    before: CheckResult, after: CheckResult, *, turned: bool
) -> None:
    """A change tells what held, what holds and when; it says whether the status itself turned."""
    change = change_between(assess(before), assess(after), AT)
    assert change is not None
    assert (change.before, change.after, change.at) == (assess(before), assess(after), AT)
    assert change.is_transition is turned


@pytest.mark.parametrize(
    ("before", "after"),
    [(ONE, ONE), (ONE, TWO), (NONE, NONE), (REFUSED, REFUSED), (STALE_37, STALE_38)],
)
def test_other_words_for_the_same_are_no_news(before: CheckResult, after: CheckResult) -> None:
    """Neither another number of seconds nor another number of GPUs is announced."""
    assert change_between(assess(before), assess(after), AT) is None
