"""The strips of use on the page."""

import pytest
from msgspec.structs import replace

from dstack_backend.domain import GpuInventory
from dstack_backend.domain.gpu import GpuUse, UsePeriod, UseRecord, UseShare
from dstack_backend.domain.gpu.use import period_of
from dstack_backend.testing.fakes import EPOCH
from tests.unit.adapters.litestar_http.harness import GPU, ParsedPage
from tests.unit.adapters.litestar_http.page.rendering import page_after


def strip_of(*shares: UseShare) -> dict[str, str]:
    """Return the paths of the strip of the GPU's use, by state."""
    use = GpuUse({}, {GPU.slot: {"24h": UseShare()}}, {GPU.slot: shares})
    page = ParsedPage(page_after(GpuInventory(gpus=(GPU,)), use=use))
    paths = [attributes for tag, attributes in page.tags if tag == "path"]
    states = ("free", "in_use", "unknown")
    found = {str(each["class"]): str(each["d"]) for each in reversed(paths) if "class" in each}
    return {state: found[state] for state in states}


@pytest.mark.parametrize(
    ("share", "expected"),
    [
        (UseShare(1800, 0, 0), {"free": "M0 0h1v10h-1z", "in_use": "M0 0h1v10h-1z"}),
        (UseShare(0, 1800, 0), {"free": "M0 0h1v10h-1z", "in_use": ""}),
        (UseShare(1, 1799, 0), {"free": "M0 0h1v10h-1z", "in_use": "M0 8h1v2h-1z"}),
        (UseShare(1799, 1, 0), {"free": "M0 0h1v10h-1z", "in_use": "M0 2h1v8h-1z"}),
        (UseShare(500, 500, 800), {"free": "M0 0h1v10h-1z", "in_use": "M0 5h1v5h-1z"}),
        (UseShare(), {"free": "", "in_use": "", "unknown": "M0 4h1v2h-1z"}),
    ],
)
def test_a_strip_never_shows_all_or_nothing_for_less(
    share: UseShare, expected: dict[str, str]
) -> None:
    """Use is a bar from below, unknown time a line in the middle: shapes besides colours."""
    assert strip_of(share) == {"unknown": ""} | expected


def test_a_period_that_is_mostly_unknown_is_unknown_unless_it_is_the_present_one() -> None:
    """A service that was started a minute ago shows the use of that minute."""
    assert strip_of(UseShare(900, 0, 900), UseShare(60, 0, 900), UseShare(60, 0, 900)) == {
        "free": "M2 0h1v10h-1z",
        "in_use": "M2 0h1v10h-1z",
        "unknown": "M0 4h2v2h-2z",
    }


def test_equal_periods_of_a_strip_are_one_rectangle() -> None:
    """A page of 64 GPUs stays small."""
    shares = [UseShare(1800, 0, 0)] * 30 + [UseShare()] * 18
    assert strip_of(*shares) == {
        "free": "M0 0h30v10h-30z",
        "in_use": "M0 0h30v10h-30z",
        "unknown": "M30 4h18v2h-18z",
    }


def test_a_page_of_many_gpus_with_use_has_a_usual_size() -> None:
    """64 of them are shown, each with a strip that changes every half hour."""
    record = UseRecord()
    start = period_of(EPOCH)
    gpus = [replace(GPU, slot=f"{n:02x}:00.0") for n in range(256)]
    slots = [gpu.slot for gpu in gpus[:64]]
    record.restore(
        UsePeriod(start - n, dict.fromkeys(slots, (37.0 * n, 1800 - 37.0 * n))) for n in range(48)
    )
    html = page_after(GpuInventory(gpus=tuple(gpus)), use=record.shares(EPOCH))
    assert html.count('<li class="free">') == 64
    assert "and 192 more" in html
    assert len(html) < 200_000
