"""The documents are true: samples run, links resolve, both languages have the same content."""

import importlib
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from dstack_backend.app.cli.commands import COMMANDS
from dstack_backend.app.cli.parser import parse_args
from dstack_backend.app.config.settings import SETTINGS
from dstack_backend.domain import Reason
from dstack_backend.domain.history import EntryKind, GapCause
from dstack_backend.testing import contracts, fakes

ROOT = Path(__file__).parents[4]
CHINESE = sorted([*ROOT.glob("*.zh-CN.md"), *ROOT.glob("docs/*.zh-CN.md")])
PAIRS = [(Path(str(path).replace(".zh-CN", "")), path) for path in CHINESE]
DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")])
READMES = ["README.md", "README.zh-CN.md"]
HTTP_API = ["docs/http-api.md", "docs/http-api.zh-CN.md"]
README_LINES = 250

SAMPLES = [
    (path.name, sample)
    for path in DOCUMENTS
    for sample in re.findall(r"^```python\n(.*?)^```", path.read_text(), re.MULTILINE | re.DOTALL)
]

both_languages = pytest.mark.parametrize(
    ("english", "chinese"), PAIRS, ids=[english.stem for english, _ in PAIRS]
)


@pytest.mark.parametrize(("name", "sample"), SAMPLES, ids=[name for name, _ in SAMPLES])
def test_each_python_sample_runs(name: str, sample: str, tmp_path: Path) -> None:
    """Each complete program of the documents ends with exit code 0 and without a warning."""
    run = subprocess.run(
        [sys.executable, "-W", "error", "-c", sample],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert run.returncode == 0, (name, run.stderr)


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
    links = re.findall(r"\]\(([^)\s#]+)", _without_blocks(path.read_text()))
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


@pytest.mark.parametrize("path", DOCUMENTS, ids=[path.name for path in DOCUMENTS])
def test_each_relative_link_and_anchor_resolves(path: Path) -> None:
    """A link names a file of the repository, and its anchor is a heading of that file."""
    outside = _without_blocks(path.read_text())
    targets = re.findall(r"\]\(([^)\s]+)\)|(?:src|href)=\"([^\"]+)\"", outside)
    links = [one or other for one, other in targets]
    assert [link for link in links if not _resolves(path, link)] == []


def _resolves(path: Path, link: str) -> bool:
    if re.match(r"[a-z]+:", link):
        return True  # another site
    name, _, anchor = link.partition("#")
    target = path.parent / name if name else path
    return target.exists() and (not anchor or anchor in _anchors(target))


def _anchors(path: Path) -> set[str]:
    """Return the anchors of the headings as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", _without_blocks(path.read_text()), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", each.lower()).replace(" ", "-") for each in headings}


def _structure(text: str) -> list[str]:
    marks = re.findall(r"^(#+ |\||- |\d+\. |```)", _without_blocks(text, "```"), re.MULTILINE)
    return [mark.strip() for mark in marks]


def _blocks(text: str) -> list[str]:
    blocks = re.findall(r"^```\w+\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    return [re.sub(r"\s+# .*|^# .*", "", block, flags=re.MULTILINE) for block in blocks]


def _inline_code(text: str) -> list[str]:
    outside = re.sub(r"<!-- settings:begin.*?settings:end -->", "", text, flags=re.DOTALL)
    found = re.findall(r"(`+)(.+?)\1", _without_blocks(outside), re.DOTALL)
    return sorted(re.sub(r"\s+", " ", code) for _, code in found)


def _without_blocks(text: str, mark: str = "") -> str:
    return re.sub(r"^```.*?^```", mark, text, flags=re.MULTILINE | re.DOTALL)


def test_each_command_answers_a_question_of_an_operator() -> None:
    """The handbook names it, with options that exist; `serve` and simulations answer none."""
    text = (ROOT / "docs/operations.md").read_text()
    (table,) = re.findall(r"^## Questions and commands\n(.*?)^## ", text, re.MULTILINE | re.DOTALL)
    lines = re.findall(r"`dstack-backend (.+?)`", table.partition("\n\nEach")[0])
    named = {parse_args(shlex.split(line))[0].name for line in lines}
    assert named == COMMANDS.keys() - {"serve", "demo", "simulate"}
