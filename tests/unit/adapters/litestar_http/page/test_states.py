"""The page in each state: texts, advice, inventories, failing checks, gaps."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dstack_backend.adapters.litestar_http.page.i18n import LANGUAGES, translation
from dstack_backend.domain import (
    CheckFailure,
    CheckPolicy,
    Gpu,
    GpuInventory,
    Reason,
)
from dstack_backend.domain.history import GapCause
from tests.unit.adapters.inventories import DiskInventory, RackInventory
from tests.unit.adapters.litestar_http.harness import (
    AVAILABLE,
    GPU,
    SYSFS,
    ParsedPage,
    entry,
)
from tests.unit.adapters.litestar_http.page.rendering import page_after, page_of


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("reason", Reason)
def test_every_reason_has_name_meaning_and_remedies(reason: Reason, language: str) -> None:
    """In both languages, with the message and the code."""
    explanation = translation(language).reasons[reason]
    page = ParsedPage(page_of(CheckFailure(reason), language))
    assert explanation.remedies
    assert explanation.name in page.text
    for text in (explanation.meaning, *explanation.remedies):
        assert text.replace("`", "") in page.text
    assert reason.summary in page.text
    assert reason.value in page.text


def test_languages_have_the_same_texts() -> None:
    """The same names, the same placeholders, as many remedies, and the same code in them."""
    english, chinese = (translation(language) for language in LANGUAGES)
    for texts, translated_texts in (
        (english.strings, chinese.strings),
        (english.units, chinese.units),
    ):
        assert texts.keys() == translated_texts.keys()
        for name, text in texts.items():
            assert text.count("{}") == translated_texts[name].count("{}"), name
    assert english.reasons.keys() == chinese.reasons.keys() == set(Reason)
    assert english.gaps.keys() == chinese.gaps.keys() == set(GapCause)
    pairs = [(english.reasons[reason], chinese.reasons[reason]) for reason in Reason]
    pairs += [
        (english.no_gpus, chinese.no_gpus),
        (english.missing_gpus, chinese.missing_gpus),
    ]
    for one, other in pairs:
        for text, translated in zip(one.remedies, other.remedies, strict=True):
            assert set(text.split("`")[1::2]) == set(translated.split("`")[1::2])


def test_an_empty_list_of_gpus_is_available_with_advice() -> None:
    """DStack is online; the page explains why it may list none."""
    page = ParsedPage(page_of(GpuInventory()))
    assert "Available" in page.text
    assert "DStack is online and lists no GPUs." in page.text
    assert "lspci -nn" in page.text


def test_an_unknown_model_is_shown_with_its_description() -> None:
    """As the source sent it."""
    gpu = Gpu(slot="1:0", product_id="10de:ffff", description="Odd Corporation", is_free=False)
    page = ParsedPage(page_of(GpuInventory(gpus=(gpu,))))
    assert "Unknown model" in page.text
    assert "Odd Corporation" in page.text


@given(
    text=st.text(max_size=200) | st.sampled_from(["<script>", "{{ 7 * 7 }}", "&lt;", '"><i>']),
    language=st.sampled_from(LANGUAGES),
)
def test_text_from_the_source_never_adds_tags(text: str, language: str) -> None:
    """Whatever the source sends, the page has the same tags and attributes."""
    plain, hostile = (
        page_of(
            GpuInventory(gpus=(Gpu(slot=each, product_id=each, description=each, is_free=True),)),
            language,
        )
        for each in ("x", f"x{text}")
    )
    assert ParsedPage(hostile).tags == ParsedPage(plain).tags


def test_long_texts_and_long_lists_are_shortened() -> None:
    """8 MB of text and 20,000 GPUs make a page of a usual size."""
    gpus = [
        Gpu(slot=f"{number}", product_id="10de:2335", description="x" * 400, is_free=True)
        for number in range(20_000)
    ]
    huge = Gpu(slot="s" * 2_000_000, product_id="p" * 2_000_000, description="", is_free=True)
    inventory = GpuInventory(gpus=(huge, *gpus), source_version="v" * 2_000_000)
    page = page_of(inventory)
    assert len(page) < 120_000
    assert "and 19937 more" in page


@pytest.mark.parametrize("language", LANGUAGES)
def test_another_inventory_is_shown_by_its_summary(language: str) -> None:
    """Without a word about GPUs. Its text is escaped."""
    page = page_of(DiskInventory(), language, SYSFS)
    text = ParsedPage(page).text.replace(SYSFS.service, "")
    assert "2 disks, <5> TB free" in text
    assert "GPU" not in text
    assert translation(language).strings["inventory"] in text


def test_metadata_with_more_fields_is_shown_as_gpus() -> None:
    """A subclass of the metadata of GPUs, as an embedder may have."""
    page = ParsedPage(page_of(RackInventory(gpus=(GPU,)), identity=SYSFS))
    assert "1 in total, 1 free, 0 in use" in page.text
    assert "H200 SXM 141GB" in page.text


@pytest.mark.parametrize("language", LANGUAGES)
def test_failing_checks_below_the_threshold_are_shown_with_advice(language: str) -> None:
    """The node is still available, but the page does not claim that the source answers."""
    policy = CheckPolicy(failure_threshold=9)
    results = AVAILABLE, CheckFailure(Reason.UNAUTHORIZED)
    page = ParsedPage(page_after(*results, policy=policy, language=language))
    texts = translation(language)
    unauthorized = texts.reasons[Reason.UNAUTHORIZED]
    assert texts.strings["available_failing"] in page.text
    assert texts.strings["available_text"].format("DStack") not in page.text
    assert "HTTP error: 401 Unauthorized" in page.text
    assert unauthorized.remedies[0].replace("`", "") in page.text
    assert texts.strings["note"].format(unauthorized.name) in page.text


def test_advice_is_shown_for_dstack_only() -> None:
    """For another source the page has its name, the reason and the message."""
    failed = ParsedPage(page_of(CheckFailure(Reason.TIMED_OUT), identity=SYSFS)).text
    assert "Why: No answer in time" in failed
    assert "Connection error: no answer in time" in failed
    assert "What to do" not in failed
    empty = ParsedPage(page_of(GpuInventory(), identity=SYSFS)).text
    assert "sysfs is online and lists no GPUs." in empty
    assert "lspci" not in empty
    available = ParsedPage(page_of(AVAILABLE, identity=SYSFS)).text
    assert "sysfs answers. The network sees this node as available." in available


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("cause", GapCause)
def test_a_gap_is_explained_by_its_code(cause: GapCause, language: str) -> None:
    """In the language of the page, and not by the stored message."""
    page = page_of(AVAILABLE, language, entries=[entry(0, None, gap=cause)])
    gap = translation(language).gaps[cause]
    assert f'<span class="badge unknown">{gap.name}</span>' in page
    assert gap.meaning in page
    assert cause.message not in page
