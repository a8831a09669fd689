"""The table of settings in the READMEs is that of the code."""

import pytest

from dstack_backend.app.config.settings import SETTINGS
from tools.settings_table import CHINESE, READMES, outdated, table, updated


def test_readmes_have_the_table_of_the_code() -> None:
    """`make settings` writes it, between the markers."""
    assert outdated() == []


def test_chinese_meanings_are_complete() -> None:
    """Each setting has one, and none is left over."""
    assert list(CHINESE) == [setting.variable for setting in SETTINGS]


@pytest.mark.parametrize("language", READMES)
def test_table_replaces_what_is_between_the_markers_only(language: str) -> None:
    """Each setting has a row with its default; without markers nothing changes."""
    text = "before\n<!-- settings:begin -->\nold\n<!-- settings:end -->\nafter\n"
    rows = table(language).splitlines()
    begin, end = "<!-- settings:begin -->", "<!-- settings:end -->"
    assert updated(text, language).splitlines() == ["before", begin, *rows, end, "after"]
    assert [row.split("`")[1] for row in rows[2:]] == [each.variable for each in SETTINGS]
    assert all(
        f"`{each.default}`" in row
        for each, row in zip(SETTINGS, rows[2:], strict=True)
        if each.default
    )
    assert updated("no markers\n", language) == "no markers\n"


@pytest.mark.parametrize(("language", "default"), [("en", "host name"), ("zh", "主机名")])
def test_default_that_is_not_a_fixed_value_is_in_its_column(language: str, default: str) -> None:
    """It is not `none`, and the meaning does not repeat it."""
    (row,) = [each for each in table(language).splitlines() if "`NODE_NAME`" in each]
    assert row.split(" | ")[1] == default
    assert row.count(default) == 1
