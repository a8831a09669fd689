"""The documents are complete, and have the same content in both languages."""

import importlib
import re
from pathlib import Path

import pytest

from dstack_backend.app.config.settings import SETTINGS
from dstack_backend.domain import Reason
from dstack_backend.domain.history import EntryKind, GapCause
from dstack_backend.testing import contracts, fakes
from tests.contract.kit.documents.files import DOCUMENTS, ROOT, blocks, inline_code, without_blocks

CHINESE = sorted([*ROOT.glob("*.zh-CN.md"), *ROOT.glob("docs/*.zh-CN.md")])
PAIRS = [(Path(str(path).replace(".zh-CN", "")), path) for path in CHINESE]
READMES = ["README.md", "README.zh-CN.md"]
HTTP_API = ["docs/http-api.md", "docs/http-api.zh-CN.md"]
README_LINES = 250

both_languages = pytest.mark.parametrize(
    ("english", "chinese"), PAIRS, ids=[english.stem for english, _ in PAIRS]
)


def test_no_text_claims_a_default_listing_of_dstack_without_its_date() -> None:
    """DStack changed it in September 2026 from one product id to eleven."""
    texts = [*DOCUMENTS, *ROOT.glob("src/**/*.py"), *ROOT.glob("src/**/*.toml")]
    claims = [
        line
        for path in texts
        for line in path.read_text().splitlines()
        if "listing" in line and "10de:2335" in line
    ]
    assert claims
    assert len(claims) == 2  # the troubleshooting guide in both languages
    assert all("2026" in line for line in claims)


@pytest.mark.parametrize("name", READMES)
def test_readme_is_short(name: str) -> None:
    """What is beyond daily need belongs in docs/."""
    assert len((ROOT / name).read_text().splitlines()) <= README_LINES


@pytest.mark.parametrize("name", READMES)
def test_readme_lists_each_setting_with_its_default(name: str) -> None:
    """The table between the two marks is complete."""
    (table,) = re.findall(
        r"<!-- settings:begin -->\n(.*?)<!-- settings:end -->", (ROOT / name).read_text(), re.DOTALL
    )
    for setting in SETTINGS:
        row = re.search(rf"^\| `{setting.variable}` \| (.*?) \|", table, re.MULTILINE)
        assert row, setting.variable
        assert setting.default in row[1]


@pytest.mark.parametrize("name", HTTP_API)
def test_each_reason_is_listed(name: str) -> None:
    """The table of reasons is complete, and its messages begin with the kind of the reason."""
    text = (ROOT / name).read_text()
    for reason in Reason:
        row = re.search(rf"^\| `{reason}` \| `+({reason.kind}): ", text, re.MULTILINE)
        assert row, reason


@pytest.mark.parametrize("name", HTTP_API)
def test_each_kind_of_entry_and_each_cause_of_a_gap_is_listed(name: str) -> None:
    """The tables of the history are complete."""
    text = (ROOT / name).read_text()
    for code in (*EntryKind, *GapCause):
        assert re.search(rf"^\| `{code}` \| ", text, re.MULTILINE), code


@both_languages
def test_both_languages_have_the_same_structure(english: Path, chinese: Path) -> None:
    """Headings, rows of tables, lists and code blocks have the same number and order."""
    assert _structure(english.read_text()) == _structure(chinese.read_text())


@both_languages
def test_both_languages_have_the_same_code(english: Path, chinese: Path) -> None:
    """Blocks are identical except for comments; inline code is the same in any order."""
    assert _blocks(english.read_text()) == _blocks(chinese.read_text())
    assert _inline_code(english.read_text()) == _inline_code(chinese.read_text())


@both_languages
def test_both_languages_link_to_the_same_documents(english: Path, chinese: Path) -> None:
    """A link of the Chinese document names the Chinese document where there is one."""
    translated = [_translated(english.parent, link) for link in _linked_files(english, chinese)]
    assert sorted(translated) == sorted(_linked_files(chinese, english))


def _translated(folder: Path, link: str) -> str:
    chinese = link.removesuffix(".md") + ".zh-CN.md"
    return chinese if (folder / chinese).exists() else link


def _linked_files(path: Path, other_language: Path) -> list[str]:
    links = re.findall(r"\]\(([^)\s#]+)", without_blocks(path.read_text()))
    return [link for link in links if ":" not in link and link != other_language.name]


def test_embedder_guide_uses_public_names_only() -> None:
    """Imported names are in `__all__` of their modules; all suites and fakes are listed."""
    text = (ROOT / "docs/embedding.md").read_text()
    imports = re.findall(r"^from (dstack_backend[\w.]*) import (.+)$", text, re.MULTILINE)
    named = {(module, name.strip()) for module, names in imports for name in names.split(",")}
    assert named
    public = {module: importlib.import_module(module).__all__ for module, _ in named}
    assert [(module, name) for module, name in named if name not in public[module]] == []
    cells = re.findall(r"^\| (.*?) \|", text, re.MULTILINE)
    rows = set(re.findall(r"`(\w+Contract|Fake\w+)`", "".join(cells)))
    listed = {*contracts.__all__, *fakes.__all__}
    assert rows == {name for name in listed if re.fullmatch(r"\w+Contract|Fake\w+", name)}


def _structure(text: str) -> list[str]:
    marks = re.findall(r"^(#+ |\||- |\d+\. |```)", without_blocks(text, "```"), re.MULTILINE)
    return [mark.strip() for mark in marks]


def _blocks(text: str) -> list[str]:
    return [re.sub(r"\s+# .*|^# .*", "", code, flags=re.MULTILINE) for _, code in blocks(text)]


def _inline_code(text: str) -> list[str]:
    return sorted(
        inline_code(re.sub(r"<!-- settings:begin.*?settings:end -->", "", text, flags=re.DOTALL))
    )
