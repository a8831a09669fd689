"""`make release-check` refuses what must not become a release, and says what to do."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from dstack_backend import __version__
from tools.release import MANIFESTS, PACKAGE, notes, problems

ROOT = Path(__file__).parents[4]

CHANGELOG = """\
# Changelog

## [Unreleased]

## [1.2.0] - 2026-11-26

### Added

- A feature.

## [1.1.0] - unreleased

- A fix.

## [1.0.9] - 2026-13-01

- A fix with an impossible date.

## [1.0.0] - 2026-01-02
"""


def test_release_that_is_ready_has_no_problem() -> None:
    """Version, section, date and tree are right."""
    assert problems("1.2.0", {PACKAGE: "1.2.0"}, CHANGELOG, []) == []


@pytest.mark.parametrize(
    ("version", "said"),
    [
        ("1.3.0", "CHANGELOG.md has no section for it; add: ## [1.3.0] - YYYY-MM-DD"),
        ("1.1.0", "CHANGELOG.md has no date for it; write: ## [1.1.0] - YYYY-MM-DD"),
        ("1.0.9", "CHANGELOG.md has no date for it; write: ## [1.0.9] - YYYY-MM-DD"),
        ("1.0.0", "CHANGELOG.md says nothing about it; list the changes that users notice"),
    ],
)
def test_changelog_must_have_a_section_with_a_date_and_changes(version: str, said: str) -> None:
    """`unreleased` is no date, and neither is a day that the calendar lacks."""
    assert problems(version, {PACKAGE: version}, CHANGELOG, []) == [said]


def test_changes_left_in_unreleased_are_refused() -> None:
    """They are part of the release, but its notes would not list them."""
    changelog = CHANGELOG.replace("[Unreleased]\n", "[Unreleased]\n\n- Forgotten.\n")
    (said,) = problems("1.2.0", {PACKAGE: "1.2.0"}, changelog, [])
    assert said == "CHANGELOG.md has changes in [Unreleased]; move them to [1.2.0]"


@pytest.mark.parametrize("version", ["1.2", "1.2.0rc1", "latest", ""])
def test_version_has_three_numbers(version: str) -> None:
    """Otherwise neither package nor changelog can have it."""
    first, second = problems(version, {PACKAGE: "1.2.0"}, CHANGELOG, ["README.md"])
    assert first == f"{version!r} is not a version; write it as in VERSION=1.2.0"
    assert second == "not committed: README.md; commit or remove them"


def test_all_problems_are_named_at_once() -> None:
    """One line each."""
    versions = {PACKAGE: "1.2.0", MANIFESTS: "1.0.0"}
    assert problems("1.1.0", versions, CHANGELOG, ["README.md", "new.txt"]) == [
        "src/__init__.py has version 1.2.0; write 1.1.0, or release 1.2.0",
        f"{MANIFESTS} has version 1.0.0; write 1.1.0, or release 1.0.0",
        "CHANGELOG.md has no date for it; write: ## [1.1.0] - YYYY-MM-DD",
        "not committed: README.md, new.txt; commit or remove them",
    ]


def test_notes_are_the_section_without_its_heading() -> None:
    """Also for the last section of the file, and nothing for a version that has none."""
    assert notes("1.2.0", CHANGELOG) == "### Added\n\n- A feature."
    assert notes("1.0.9", CHANGELOG) == "- A fix with an impossible date."
    assert notes("1.0.0", CHANGELOG) == ""
    assert notes("1.1", CHANGELOG) == ""


def test_notes_have_one_line_for_each_item() -> None:
    """GitHub shows each line break in a release, in the middle of a sentence too."""
    wrapped = CHANGELOG.replace("- A feature.", "- A long\n  feature:\n  - one\n    part\n  - two")
    assert notes("1.2.0", wrapped) == "### Added\n\n- A long feature:\n  - one part\n  - two"


def _run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        arguments,
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(ROOT), "GIT_CONFIG_GLOBAL": os.devnull},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


def _release(folder: Path, action: str, version: str) -> subprocess.CompletedProcess[str]:
    return _run(folder, sys.executable, "-m", "tools.release", action, version)


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """Return a git repository that is ready to release the version of the package."""
    text = f"## [{__version__}] - 2026-11-26\n\n- The first.\n"
    (tmp_path / "CHANGELOG.md").write_text(text)
    (tmp_path / "old name.txt").write_text("content\n")
    (tmp_path / MANIFESTS).parent.mkdir(parents=True)
    (tmp_path / MANIFESTS).write_text((ROOT / MANIFESTS).read_text())
    identity = ("-c", "user.name=test", "-c", "user.email=test@example.com")
    for command in (["init", "--quiet"], ["add", "."], ["commit", "--quiet", "--message=all"]):
        done = _run(tmp_path, "git", *identity, *command)
        assert done.returncode == 0, done.stderr
    return tmp_path


@pytest.mark.parametrize("version", [__version__, f"v{__version__}"])
def test_clean_repository_passes(repository: Path, version: str) -> None:
    """Both as a version and as a tag."""
    done = _release(repository, "check", version)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert _release(repository, "notes", version).stdout == "- The first.\n"


def test_changed_new_and_renamed_files_are_refused(repository: Path) -> None:
    """Each is named, without quotes or escapes; the exit code stops `make`."""
    (repository / "CHANGELOG.md").write_text(f"## [{__version__}] - 2026-11-27\n\n- Other.\n")
    _run(repository, "git", "mv", "old name.txt", "neuer Name.txt")
    (repository / "ü.txt").touch()
    done = _release(repository, "check", f"v{__version__}")
    assert done.returncode == 1
    assert done.stderr == (
        "release-check: not committed: CHANGELOG.md, neuer Name.txt, old name.txt, ü.txt; "
        "commit or remove them\n"
    )


def test_manifests_with_another_version_are_refused(repository: Path) -> None:
    """They would deploy the release before."""
    text = (ROOT / MANIFESTS).read_text()
    (repository / MANIFESTS).write_text(text.replace(f"newTag: {__version__}", "newTag: 0.9.0"))
    done = _release(repository, "check", __version__)
    first, _ = done.stderr.splitlines()
    assert first == (
        f"release-check: {MANIFESTS} has version 0.9.0; write {__version__}, or release 0.9.0"
    )


def test_version_without_notes_is_an_error(repository: Path) -> None:
    """A release never has empty notes by mistake."""
    done = _release(repository, "notes", "9.9.9")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "CHANGELOG.md says nothing about '9.9.9'\n"
