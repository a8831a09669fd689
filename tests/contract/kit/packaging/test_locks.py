"""The lock files: an install takes exactly what they contain, on every supported Python."""

import hashlib
import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

from tools.lock import LOCKS, supported_pythons

ROOT = Path(__file__).parents[4]
FROM_A_LOCK = re.compile(r"pip\b.* install ([^&\n]*-r )requirements/\w+\.txt")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def _installs(file: str) -> list[list[str]]:
    """Return the options of each install from a lock."""
    text = (ROOT / file).read_text().replace("\\\n", " ")
    found = [each.split() for each in FROM_A_LOCK.findall(text)]
    assert found, f"{file} installs nothing from a lock"
    return found


def _wheel(folder: Path, name: str, version: str, needs: str = "") -> str:
    """Create an empty wheel, and return its line of a lock."""
    file = folder / f"{name}-{version}-py3-none-any.whl"
    inside = f"{name}-{version}.dist-info"
    needed = f"Requires-Dist: {needs}\n" if needs else "Provides-Extra: more\n"
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr(
            f"{inside}/METADATA",
            f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{needed}",
        )
        archive.writestr(
            f"{inside}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        archive.writestr(f"{inside}/RECORD", "")
    return f"{name}=={version} --hash=sha256:{hashlib.sha256(file.read_bytes()).hexdigest()}\n"


@pytest.mark.parametrize("file", ["Makefile", "Dockerfile"])
def test_later_release_does_not_affect_an_install(file: str, tmp_path: Path) -> None:
    """For a dependency with an extra pip looked at the newest release, and refused its hash."""
    lock = tmp_path / "lock.txt"
    lock.write_text(
        _wheel(tmp_path, "needed", "1.0") + _wheel(tmp_path, "user", "1.0", "needed[more]>=1.0")
    )
    _wheel(tmp_path, "needed", "1.1")
    pip = (sys.executable, "-m", "pip", "install", "--no-index", "--find-links", str(tmp_path))
    for number, options in enumerate(_installs(file)):
        target = tmp_path / str(number)
        done = subprocess.run(
            [*pip, "--target", str(target), *options, str(lock)],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        installed = {path.name for path in target.glob("*.dist-info")}
        assert installed == {"needed-1.0.dist-info", "user-1.0.dist-info"}


def test_supported_pythons_are_the_same_everywhere() -> None:
    """`make lock` resolves for the classifiers; the image has the newest of them."""
    pythons = supported_pythons()
    assert pythons == ["3.11", "3.12", "3.13", "3.14"]
    assert PROJECT["requires-python"] == f">={pythons[0]}"
    dockerfile = (ROOT / "Dockerfile").read_text()
    digest = r"(@sha256:[0-9a-f]{64})?"  # from the update bot
    assert re.search(rf"^ARG BASE=python:{pythons[-1]}-slim{digest}$", dockerfile, re.MULTILINE)


def test_base_of_the_image_is_named_once() -> None:
    """The update bot changes one line, and both stages get the same digest."""
    dockerfile = (ROOT / "Dockerfile").read_text()
    froms = re.findall(r"^FROM (\S+)", dockerfile, re.MULTILINE)
    assert froms == ["${BASE}", "base", "base"]


def _locked(lock: str) -> set[str]:
    text = (ROOT / "requirements" / lock).read_text()
    return set(re.findall(r"^([\w-]+)==", text, re.MULTILINE))


def _names(requirements: list[str]) -> set[str]:
    return {re.split(r"[<>=\[;]", each)[0] for each in requirements}


def test_locks_have_the_extras_of_their_installs() -> None:
    """The image has all extras but the test libraries; `.venv` has everything."""
    extras = PROJECT["optional-dependencies"]
    base = _names(PROJECT["dependencies"])
    assert base == {"msgspec"}
    service = base | _names([*extras["server"], *extras["nostr"], *extras["notify"]])
    assert service <= _locked("service.txt")
    assert not _names(extras["testing"]) & _locked("service.txt")
    assert _locked("service.txt") | _names(extras["testing"]) <= _locked("dev.txt")
    assert {lock.name for lock in LOCKS} == {"service.txt", "build.txt", "dev.txt"}


def test_modules_of_the_image_can_be_imported() -> None:
    """The Dockerfile imports them to write their bytecode."""
    text = (ROOT / "Dockerfile").read_text().replace("\\\n", "")
    program = re.search(r'python -c "(.*?)"', text)
    assert program
    run = [sys.executable, "-W", "error", "-c", program[1]]
    done = subprocess.run(run, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
