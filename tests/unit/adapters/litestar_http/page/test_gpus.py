"""The GPUs on the page: degraded, missing, last known ones, time in use, other devices."""

import re
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from dstack_backend.adapters.litestar_http.page.i18n import LANGUAGES, translation
from dstack_backend.domain import CheckFailure, CheckPolicy, CheckResult, Gpu, GpuInventory, Reason
from dstack_backend.domain.gpu import (
    GpuChange,
    GpuChangeKind,
    UsePeriod,
    UseRecord,
)
from dstack_backend.domain.gpu.use import period_of
from dstack_backend.domain.history import entry_for_gpu
from dstack_backend.testing.fakes import EPOCH
from tests.unit.adapters.litestar_http.harness import GPU, SYSFS, ParsedPage
from tests.unit.adapters.litestar_http.page.rendering import page_after, page_of

OTHER = replace(GPU, slot="19:00.0")
BOTH = GpuInventory(gpus=(OTHER, GPU))
ONE = GpuInventory(gpus=(OTHER,))
NVSWITCH = Gpu(slot="85:00.0", product_id="10de:22a3", description="NVIDIA", is_free=True)
DOWN = CheckFailure(Reason.CONNECTION_REFUSED)


def page_with_use(*periods: int) -> str:
    """Return the page where half hours are recorded that began so many half hours ago."""
    record, last = UseRecord(), period_of(EPOCH)
    slots = {GPU.slot: (1350.0, 450.0), OTHER.slot: (0.0, 1800.0)}
    record.restore(UsePeriod(last - each, slots) for each in periods)
    return page_after(BOTH, use=record.shares(EPOCH))


def many(count: int) -> GpuInventory:
    """Return an inventory of so many GPUs."""
    return GpuInventory(gpus=tuple(replace(GPU, slot=f"{n:02x}:00.0") for n in range(count)))


@pytest.mark.parametrize(
    ("results", "look"),
    [
        ((BOTH,), "available"),
        ((BOTH, ONE), "available"),
        ((BOTH, ONE, ONE), "degraded"),
        ((BOTH, ONE, ONE, BOTH), "available"),
        ((GpuInventory(),), "degraded"),
        ((BOTH, ONE, ONE, DOWN), "unavailable"),
        ((), "unknown"),
    ],
)
def test_the_look_and_the_icon_show_the_verdict(
    results: tuple[CheckResult, ...], look: str
) -> None:
    """Missing GPUs make an available node degraded; unavailable dominates."""
    page = page_after(*results)
    assert f'class="card status {look}"' in page
    assert f"/{look}.svg" in page


@pytest.mark.parametrize(
    ("results", "since"),
    [
        ((BOTH, BOTH, ONE, ONE), "00:00:20"),
        ((BOTH, BOTH, ONE, ONE, DOWN), "00:01:20"),
        ((BOTH, ONE, ONE, DOWN, ONE), "00:01:20"),
        ((GpuInventory(), GpuInventory()), "00:00:00"),
    ],
)
def test_a_degraded_node_is_degraded_since_the_first_loss(
    results: tuple[CheckResult, ...], since: str
) -> None:
    """As the command `status` has it: not since it is available."""
    html = page_after(*results, seconds=20.0)
    times = re.findall(r"<time [^>]*>[-0-9]+ ([:0-9]+) UTC<", html[html.index('id="status"') :])
    assert times[0] == since


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("last", [ONE, DOWN])
def test_a_missing_gpu_is_named_above_everything_else(language: str, last: CheckResult) -> None:
    """With when it was last seen, and what to do with its slot. Also while unavailable."""
    html = page_after(BOTH, ONE, ONE, last, language=language)
    page, texts = ParsedPage(html), translation(language)
    line = texts.strings["missing_gpu"].format("H200 SXM 141GB", "3b:00.0", "2026-11-24 00:00:00")
    assert line.split("2026")[0] in page.text
    assert html.index('id="missing"') < html.index('id="status"')
    for command in ("lspci -s 3b:00.0", "dstack-backend gpus --forget 3b:00.0", "Xid"):
        assert f"<code>{command}</code>" in html
    assert "SLOT" not in html
    assert texts.strings["gpu_missing"].format(1) in page.text


def test_without_missing_gpus_there_is_an_empty_hidden_section() -> None:
    """The script replaces it when one is lost."""
    assert '<section id="missing" hidden></section>' in page_of(BOTH)


def test_commands_name_several_slots_where_they_are_pci_addresses() -> None:
    """A command with a slot that is none would be wrong or even harmful."""
    odd = replace(GPU, slot="$(reboot)")
    kept = GpuInventory(gpus=(OTHER,))
    html = page_after(GpuInventory(gpus=(OTHER, GPU, odd)), kept, kept)
    assert "<code>lspci -s 3b:00.0</code>" in html
    assert "<code>dstack-backend gpus --forget SLOT</code>" in html
    only_odd = page_after(GpuInventory(gpus=(OTHER, odd)), kept, kept)
    assert "<code>lspci</code>" in only_odd
    assert "<code>dstack-backend gpus --forget SLOT</code>" in only_odd
    assert "lspci -s" not in only_odd


@pytest.mark.parametrize(("count", "more"), [(9, None), (10, "and 1 more"), (30, "and 21 more")])
def test_at_most_eight_missing_gpus_are_named(count: int, more: str | None) -> None:
    """One of the listed ones stays."""
    html = page_after(many(count), many(1), many(1))
    section = html[html.index('id="missing"') : html.index('id="status"')]
    assert section.count("<li>Missing: ") == 8
    assert ("more, all listed in" in section) == (more is not None)
    assert more is None or more in section


def test_another_source_has_the_missing_line_without_advice() -> None:
    """The commands are about DStack."""
    html = page_after(BOTH, ONE, ONE, identity=SYSFS)
    text = ParsedPage(html).text
    assert "Missing: H200 SXM 141GB in 3b:00.0, last seen" in text
    assert "Available, degraded" in text
    assert "lspci" not in text
    assert "DStack" not in text


def test_missing_gpus_are_in_the_grid_in_the_order_of_the_slots() -> None:
    """Marked, and counted apart."""
    html = page_after(GpuInventory(gpus=(GPU, OTHER, replace(GPU, slot="5d:00.0"))), ONE, ONE)
    assert re.findall(r'<li class="(\w+)">', html) == ["free", "missing", "missing"]
    assert "1 in total, 1 free, 0 in use, 2 missing" in html


def test_the_last_known_gpus_are_shown_while_unavailable() -> None:
    """Marked as such, with the time."""
    html = page_after(BOTH, DOWN)
    assert 'class="card outdated"' in html
    assert "Last known, as of 2026-" in ParsedPage(html).text
    assert html.count('<li class="free">') == 2
    assert "Last known" not in page_of(BOTH)


def test_the_gpus_are_current_while_there_are_too_few() -> None:
    """The node is unavailable, although a check listed them."""
    page = ParsedPage(page_after(ONE, policy=CheckPolicy(min_gpus=2)))
    assert "Why: Too few GPUs" in page.text
    assert "1 in total, 1 free" in page.text
    assert "Last known" not in page.text


def test_a_gpu_has_its_state_and_since_when() -> None:
    """Since the check that first listed it so."""
    used = GpuInventory(gpus=(replace(GPU, is_free=False),))
    page = ParsedPage(page_after(BOTH, *[used] * 3, seconds=3600.0))
    assert "In use for 2 h" in page.text


@pytest.mark.parametrize(
    ("devices", "expected"),
    [
        ((NVSWITCH, NVSWITCH), "Also listed, but not counted as GPUs: 2 \u00d7 NVSwitch"),
        ((GPU,), "Also listed, but not counted as GPUs: 1"),
    ],
)
def test_other_devices_have_one_line(devices: tuple[Gpu, ...], expected: str) -> None:
    """NVSwitches of a DStack; an embedder may list others."""
    page = ParsedPage(page_of(replace(BOTH, other_devices=devices)))
    assert expected in page.text
    assert "Also listed" not in page_of(BOTH)


def test_the_share_in_use_is_shown_for_each_gpu_and_the_node() -> None:
    """Of the known time; the unknown part is named, or what is recorded if that is less."""
    html = page_with_use(*range(1, 25), 60)
    page = ParsedPage(html)
    assert "24 hours 37 % in use \u00b7 48 % unknown" in page.text
    assert "Last 24 hours: 75 % in use \u00b7 48 % unknown" in page.text
    assert "7 days 37 % in use \u00b7 only 12 h 30 min recorded" in page.text
    assert "24 h75 %7 d75 %" in page.text
    assert html.count('role="img"><title>') == 2


@pytest.mark.parametrize(
    ("periods", "windows"), [((1,), ["24 h"]), ((1, 60), ["24 h", "7 d"]), ((60,), ["24 h", "7 d"])]
)
def test_a_window_is_shown_where_more_is_known_than_in_a_shorter_one(
    periods: tuple[int, ...], windows: list[str]
) -> None:
    """A fresh node does not show the same share three times."""
    html = page_with_use(*periods)
    assert re.findall(r"<dt>(\d+ \w)</dt>", html) == windows * 2
    names = {"24 h": "24 hours", "7 d": "7 days"}
    shown = re.findall(r'<dd><span class="muted">([^<]+)</span>', html)
    assert shown == [names[each] for each in windows]


@pytest.mark.parametrize("language", LANGUAGES)
def test_changes_of_gpus_are_among_the_incidents(language: str) -> None:
    """With a badge by the code, and when it was last seen. They have no length."""
    seen = EPOCH - timedelta(minutes=5)
    changes = [
        GpuChange(GpuChangeKind.LOST, EPOCH, GPU, seen),
        GpuChange(GpuChangeKind.FOUND, EPOCH, OTHER),
        GpuChange(GpuChangeKind.FOUND, EPOCH, OTHER, seen),
        GpuChange(GpuChangeKind.REPLACED, EPOCH, GPU, None, replace(GPU, product_id="1:2")),
    ]
    html = page_of(BOTH, language, entries=list(map(entry_for_gpu, changes)))
    strings = translation(language).strings
    badges = re.findall(r'<span class="badge (\w+)">([^<]+)<', html)
    assert badges == [
        ("unknown", strings["gpu_replaced"]),
        ("up", strings["gpu_returned"]),
        ("up", strings["gpu_found"]),
        ("down", strings["gpu_lost"]),
    ]
    assert html.count(seen.isoformat("T", "seconds")) == 2
    assert 'class="length"' not in html
    assert "formerly 1:2" in html


@given(
    text=st.text(max_size=60) | st.sampled_from(["<script>", "`", "{}", '"><i>', "{0.__class__}"])
)
def test_text_of_a_missing_gpu_never_adds_tags(text: str) -> None:
    """Neither as markup, nor as code, nor as a placeholder."""
    plain, hostile = (
        page_after(
            GpuInventory(gpus=(OTHER, Gpu(slot=t, product_id=t, description="", is_free=True))),
            ONE,
            ONE,
        )
        for t in ("x", f"x{text}")
    )
    assert ParsedPage(hostile).tags == ParsedPage(plain).tags
