"""The commands in the documents exist, with the options that the documents name."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

from dstack_backend.app.cli.commands import COMMANDS
from dstack_backend.app.cli.parser import parse_args
from tests.contract.kit.documents.files import DOCUMENTS, ROOT, blocks, inline_code

EACH = pytest.mark.parametrize("path", DOCUMENTS, ids=[path.name for path in DOCUMENTS])

# `dstack-backend` is the program at the start, after variables, and where another program runs it:
# `sudo`, `docker exec NAME`, `kubectl exec POD --`, a pipe. Elsewhere it is the name of a container
# or a unit.
_COMMAND = re.compile(
    r"(?:^|\w=\S+ |sudo |-- |dstack-backend |[|;&] ?)(?:[^\s=]*/)?dstack-backend (.+)"
)
_PLACEHOLDERS = {"COMMAND": "status"}


def _lines(text: str) -> Iterator[str]:
    yield from inline_code(text)
    for language, block in blocks(text):
        lines = re.sub(r"\\\n\s*", "", block).splitlines()
        if language == "sh":
            yield from lines
        elif language == "console":
            yield from (line[2:] for line in lines if line.startswith("$ "))


def _commands(text: str) -> Iterator[list[str]]:
    for line in _lines(text):
        if match := _COMMAND.search(line.strip()):
            words = shlex.split(re.split(r" *(?:\\?\||[;&>])", match[1])[0], comments=True)
            yield [_PLACEHOLDERS.get(word, word) for word in words]


def test_commands_are_found_where_they_are_programs() -> None:
    """And not where `dstack-backend` is a container, a unit or a comment."""
    text = """
`docker exec dstack-backend dstack-backend gpus
--forget SLOT`, `docker logs -f dstack-backend`, `dstack-backend doctor | less`

```sh
LOG_LEVEL=debug dstack-backend \\
  check --pretty    # once
docker run --name dstack-backend --restart always dstack-backend:latest
docker compose up -d   # dstack-backend and dephy-worker
```

```console
$ /opt/dstack-backend/bin/dstack-backend COMMAND --help
dstack-backend 1.0.0
```
"""
    assert [*_commands(text)] == [
        ["gpus", "--forget", "SLOT"],
        ["doctor"],
        ["check", "--pretty"],
        ["status", "--help"],
    ]


@EACH
def test_each_command_line_can_be_parsed(path: Path) -> None:
    """A command or an option that does not exist raises; `--help` prints and ends with 0."""
    for words in _commands(path.read_text()):
        if words and {"--help", "--version", "--print-completion"}.isdisjoint(words):
            parse_args(words)
        elif words:
            with pytest.raises(SystemExit) as ended:
                parse_args(words)
            assert ended.value.code == 0


@EACH
def test_each_make_target_exists(path: Path) -> None:
    """In inline code and in blocks."""
    makefile = (ROOT / "Makefile").read_text()
    lines = "\n".join(_lines(path.read_text()))
    targets = re.findall(r"^(?:\w+=\S+ )?make (?:\w+=\S+ )*([a-z0-9-]+)", lines, re.MULTILINE)
    assert [target for target in targets if f"\n{target}:" not in makefile] == []


def test_each_command_answers_a_question_of_an_operator() -> None:
    """The handbook names it, with options that exist; `serve` and simulations answer none."""
    text = (ROOT / "docs/operations.md").read_text()
    (table,) = re.findall(r"^## Questions and commands\n(.*?)^## ", text, re.MULTILINE | re.DOTALL)
    named = {parse_args(words)[0].name for words in _commands(table.partition("\n\nEach")[0])}
    assert named == COMMANDS.keys() - {"serve", "demo", "simulate"}
