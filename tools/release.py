"""Check that a version can be released, or print its release notes.

    python -m tools.release check 1.2.0
    python -m tools.release notes 1.2.0

Both read the section of the version in CHANGELOG.md. A leading `v`, as in a tag, is accepted.
"""

import re
import subprocess
import sys
from datetime import date
from pathlib import Path

from dstack_backend import __version__

__all__ = ["notes", "problems"]

CHANGELOG = Path("CHANGELOG.md")
HEADING = re.compile(r"^## \[(?P<version>[^\]]+)\](?: - (?P<date>.*))?$", re.MULTILINE)
VERSION = re.compile(r"\d+\.\d+\.\d+")


def problems(version: str, packaged: str, changelog: str, changed: list[str]) -> list[str]:
    """Return what prevents the release, one line each.

    `packaged` is the version of the package; `changed` are the files that are not committed.
    """
    found: list[str] = []
    if VERSION.fullmatch(version):
        found += _package_problems(version, packaged)
        found += _changelog_problems(version, changelog)
    else:
        found.append(f"{version!r} is not a version; write it as in VERSION=1.2.0")
    if changed:
        found.append(f"not committed: {', '.join(changed)}; commit or remove them")
    return found


def _package_problems(version: str, packaged: str) -> list[str]:
    if version == packaged:
        return []
    remedy = f'set __version__ = "{version}" in src/__init__.py, or release {packaged}'
    return [f"the package has version {packaged}; {remedy}"]


def _changelog_problems(version: str, changelog: str) -> list[str]:
    dates = {each["version"]: each["date"] for each in HEADING.finditer(changelog)}
    if version not in dates:
        return [f"{CHANGELOG} has no section for it; add: ## [{version}] - YYYY-MM-DD"]
    found: list[str] = []
    if not _is_date(dates[version]):
        found.append(f"{CHANGELOG} has no date for it; write: ## [{version}] - YYYY-MM-DD")
    if not notes(version, changelog):
        found.append(f"{CHANGELOG} says nothing about it; list the changes that users notice")
    if notes("Unreleased", changelog):
        found.append(f"{CHANGELOG} has changes in [Unreleased]; move them to [{version}]")
    return found


def _is_date(text: str | None) -> bool:
    try:
        return date.fromisoformat(text or "").isoformat() == text
    except ValueError:
        return False


def notes(version: str, changelog: str) -> str:
    """Return the section of a version without its heading, empty if there is none."""
    for heading in HEADING.finditer(changelog):
        if heading["version"] == version:
            following = HEADING.search(changelog, heading.end())
            return changelog[heading.end() : following and following.start()].strip()
    return ""


def _changed_files() -> list[str]:
    """Return the files of the working tree that differ from the commit, or are not in it."""
    status = subprocess.run(
        ["git", "status", "--porcelain", "-z", "--no-renames"],  # noqa: S607 - git of the PATH
        check=True,
        capture_output=True,
        text=True,
    )
    return [entry[3:] for entry in status.stdout.split("\0") if entry]


def main() -> None:
    """Print the notes, or exit with one line for each problem."""
    action, version = sys.argv[1], sys.argv[2].removeprefix("v")
    changelog = CHANGELOG.read_text()
    if action == "notes":
        print(notes(version, changelog))
    elif found := problems(version, __version__, changelog, _changed_files()):
        sys.exit("\n".join(f"release-check: {each}" for each in found))


if __name__ == "__main__":
    main()
