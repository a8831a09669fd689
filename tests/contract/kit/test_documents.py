"""What the documents print is true: samples run, both languages hold the same."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from dstack_backend.app.config.settings import SETTINGS
from dstack_backend.domain import Reason

ROOT = Path(__file__).parents[3]
LANGUAGES = ("README.md", "README.zh-CN.md")
SAMPLES = [
    (name, sample)
    for name in (*LANGUAGES, "docs/embedding.md")
    for sample in re.findall(
        r"^```python\n(.*?)^```", (ROOT / name).read_text(), re.MULTILINE | re.DOTALL
    )
]


@pytest.mark.parametrize(("name", "sample"), SAMPLES, ids=[name for name, _ in SAMPLES])
def test_a_sample_runs(name: str, sample: str, tmp_path: Path) -> None:
    """Each complete program of the documents ends well, without a warning."""
    run = subprocess.run(
        [sys.executable, "-W", "error", "-c", sample],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert run.returncode == 0, (name, run.stderr)


@pytest.mark.parametrize("name", LANGUAGES)
def test_a_readme_names_every_setting_with_its_default_and_every_reason(name: str) -> None:
    """The tables are complete in both languages."""
    text = (ROOT / name).read_text()
    for setting in SETTINGS:
        row = re.search(rf"^\| `{setting.variable}` \| (.*?) \|", text, re.MULTILINE)
        assert row, setting.variable
        assert setting.default in row[1]
    for reason in Reason:
        assert f"| `{reason}` |" in text


def test_the_languages_have_the_same_shape() -> None:
    """Headings, rows of tables, bullets and code blocks come in the same number and order."""
    english, chinese = (_shape((ROOT / name).read_text()) for name in LANGUAGES)
    assert english == chinese


def test_the_languages_have_the_same_commands() -> None:
    """Code is the same to the letter, but for comments."""
    english, chinese = (_code((ROOT / name).read_text()) for name in LANGUAGES)
    assert english == chinese


@pytest.mark.parametrize("name", [*LANGUAGES, "CHANGELOG.md", "CONTRIBUTING.md"])
def test_every_link_to_a_file_leads_somewhere(name: str) -> None:
    """A relative link names a file of the repository."""
    targets = re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", (ROOT / name).read_text())
    assert [target for target in targets if not (ROOT / target).exists()] == []


def _shape(text: str) -> list[str]:
    outside = re.sub(r"^```.*?^```", "```", text, flags=re.MULTILINE | re.DOTALL)
    marks = re.findall(r"^(#+ |\||- |```)", outside, re.MULTILINE)
    return [mark.strip() for mark in marks]


def _code(text: str) -> list[str]:
    blocks = re.findall(r"^```\w+\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    return [re.sub(r"\s+# .*|^# .*", "", block, flags=re.MULTILINE) for block in blocks]
