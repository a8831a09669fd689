"""An install from a lock file takes what the lock says, whatever was released after it was made."""

import hashlib
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
FROM_A_LOCK = re.compile(r"pip\b.* install ([^&\n]*-r )requirements/\w+\.txt")


def _installs(file: str) -> list[list[str]]:
    """The options of each install from a lock."""
    text = (ROOT / file).read_text().replace("\\\n", " ")
    found = [each.split() for each in FROM_A_LOCK.findall(text)]
    assert found, f"{file} installs nothing from a lock"
    return found


def _wheel(folder: Path, name: str, version: str, needs: str = "") -> str:
    """Make a wheel without content; give its line of a lock."""
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
def test_a_release_after_the_lock_does_not_stop_an_install(file: str, tmp_path: Path) -> None:
    """A need with an extra made pip look at the newest release, and refuse it for its hash."""
    lock = tmp_path / "lock.txt"
    lock.write_text(
        _wheel(tmp_path, "needed", "1.0") + _wheel(tmp_path, "user", "1.0", "needed[more]>=1.0")
    )
    _wheel(tmp_path, "needed", "1.1")
    for number, options in enumerate(_installs(file)):
        target = tmp_path / str(number)
        done = subprocess.run(
            [
                *(
                    sys.executable,
                    "-m",
                    "pip",
                    "install",
                    "--no-index",
                    "--find-links",
                    str(tmp_path),
                ),
                *("--target", str(target), *options, str(lock)),
            ],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        installed = {path.name for path in target.glob("*.dist-info")}
        assert installed == {"needed-1.0.dist-info", "user-1.0.dist-info"}
