"""The Python samples in the documents run, and print what the documents say."""

import re
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import pytest

from tests.contract.kit.documents.files import DOCUMENTS, ROOT, blocks
from tests.contract.kit.examples.backend_process import running
from tests.contract.process.service import free_port

# The block after a sample is its output; a console shows the command first, and maybe others later.
_OUTPUTS = ("text", "console")
_OUTPUT = re.compile(r"(?:\$ python \S+\n)?(.*?)(?:\$ .*)?", re.DOTALL)
SAMPLES = [
    pytest.param(sample, after if kind in _OUTPUTS else "", id=f"{path.name}-{number}")
    for path in DOCUMENTS
    if not path.name.endswith(".zh-CN.md")  # its blocks are the same
    for number, ((language, sample), (kind, after)) in enumerate(
        pairwise([*blocks(path.read_text()), ("", "")])
    )
    if language == "python"
]


def _run(folder: Path, *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, "-W", "error", *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.parametrize(("sample", "shown"), SAMPLES)
def test_each_sample_prints_the_block_that_follows(sample: str, shown: str, tmp_path: Path) -> None:
    """Each is a complete program without a warning; without such a block it prints nothing."""
    output = _OUTPUT.fullmatch(shown)
    assert output
    assert _run(tmp_path, "-c", sample) == output[1]


def test_contract_suites_of_the_embedding_guide_pass_with_its_backend(tmp_path: Path) -> None:
    """Both files are saved as the guide says, and the backend is served by its command."""
    samples = [code for _, code in blocks((ROOT / "docs/embedding.md").read_text())]
    (backend,) = [each for each in samples if "class MyGpus:" in each]
    (tests,) = [each for each in samples if "class TestMyGpus(" in each]
    port = free_port()
    (tmp_path / "my_backend.py").write_text(backend)
    (tmp_path / "test_my_backend.py").write_text(tests.replace(":8080/", f":{port}/"))
    command = ("--interface", "asgi", "--factory", "--port", str(port), "my_backend:create_app")
    with running(port, "-m", "granian", "--working-dir", str(tmp_path), *command):
        assert " passed" in _run(tmp_path, "-m", "pytest", "-q", "-p", "no:cacheprovider")
