"""Check that a version can be released, or print its release notes.

    python -m tools.release check 1.2.0
    python -m tools.release notes 1.2.0

Both read the section of the version in CHANGELOG.md. A leading `v`, as in a tag, is accepted.
"""

import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path

from dstack_backend import __version__

__all__ = ["notes", "problems"]

CHANGELOG = Path("CHANGELOG.md")
PACKAGE = Path("src/__init__.py")
MANIFESTS = Path("deploy/kubernetes/base/kustomization.yaml")
HEADING = re.compile(r"^## \[(?P<version>[^\]]+)\](?: - (?P<date>.*))?$", re.MULTILINE)
VERSION = re.compile(r"\d+\.\d+\.\d+")
CONTINUATION = re.compile(r"\n +(?![-*] )(?=\S)")
NEW_TAG = re.compile(r"^ *newTag: (.*)$", re.MULTILINE)


def problems(
    version: str, versions: Mapping[Path, str], changelog: str, changed: Sequence[str]
) -> list[str]:
    """Return what prevents the release, one line each.

    `versions` are those of the project's files, `changed` the files that are not committed.
    """
    found: list[str] = []
    if VERSION.fullmatch(version):
        for file, other in versions.items():
            if other != version:
                found.append(f"{file} has version {other}; write {version}, or release {other}")
        found += _changelog_problems(version, changelog)
    else:
        found.append(f"{version!r} is not a version; write it as in VERSION=1.2.0")
    if changed:
        found.append(f"not committed: {', '.join(changed)}; commit or remove them")
    return found


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
    """Return the section of a version without its heading, empty if there is none.

    GitHub shows each line break in a release, so that the lines of an item become one.
    """
    for heading in HEADING.finditer(changelog):
        if heading["version"] == version:
            following = HEADING.search(changelog, heading.end())
            section = changelog[heading.end() : following and following.start()]
            return CONTINUATION.sub(" ", section.strip())
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


def _versions() -> dict[Path, str]:
    """Return the version in each file that has one. Kubernetes cannot ask the package."""
    return {PACKAGE: __version__, MANIFESTS: "".join(NEW_TAG.findall(MANIFESTS.read_text()))}


def main() -> None:
    """Print the notes, or exit with one line for each problem."""
    action, version = sys.argv[1], sys.argv[2].removeprefix("v")
    changelog = CHANGELOG.read_text()
    if action == "notes":
        if not (text := notes(version, changelog)):
            sys.exit(f"{CHANGELOG} says nothing about {version!r}")
        print(text)
    elif found := problems(version, _versions(), changelog, _changed_files()):
        sys.exit("\n".join(f"release-check: {each}" for each in found))


if __name__ == "__main__":
    main()
