"""The handbook holds the same in both languages, and what it prints is true."""

import os
import re
import subprocess
from pathlib import Path

import pytest
import yaml

from tests.deploy.programs import DEPLOY, documents

ROOT = DEPLOY.parent
NAMES = ("operations.md", "operations.zh-CN.md")
TEXTS = {name: (ROOT / "docs" / name).read_text() for name in NAMES}


def _blocks(text: str) -> list[str]:
    return re.findall(r"^```\w+\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


def _code(text: str) -> list[str]:
    """What stands in backquotes outside blocks, in the order of the alphabet."""
    outside = re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)
    return sorted(re.sub(r"\s+", " ", each) for each in re.findall(r"`([^`]+)`", outside))


def _shape(text: str) -> list[str]:
    outside = re.sub(r"^```.*?^```", "```", text, flags=re.MULTILINE | re.DOTALL)
    return [each.strip() for each in re.findall(r"^(#+ |\||- |```)", outside, re.MULTILINE)]


def test_the_languages_have_the_same_shape_and_the_same_commands() -> None:
    """Headings, rows, bullets and blocks in one order; code to the letter, in the text as well."""
    english, chinese = (TEXTS[name] for name in NAMES)
    assert _shape(english) == _shape(chinese)
    assert _blocks(english) == _blocks(chinese)
    assert _code(english) == _code(chinese)


def test_the_languages_give_the_same_figures_for_each_alarm() -> None:
    """The same severity under the same heading, and it is the one of the rule."""
    (rules,) = documents(DEPLOY / "prometheus" / "alerts.yml")
    expected = {
        rule["alert"]: rule["labels"]["severity"]
        for group in rules["groups"]
        for rule in group["rules"]
    }
    for text in TEXTS.values():
        assert dict(re.findall(r"^### (\w+)\n\n(\w+)[.。]", text, re.MULTILINE)) == expected


@pytest.mark.parametrize("name", NAMES)
def test_paths_and_targets_that_it_names_are_there(name: str) -> None:
    """Files of the repository, links, and targets of the Makefile."""
    text = TEXTS[name]
    paths = set(re.findall(r"\bdeploy/[\w./-]*\w", text))
    assert paths
    assert [path for path in paths if "$" not in path and not (ROOT / path).exists()] == []
    links = re.findall(r"\]\(([^)#:]+)\)", text)
    assert all((ROOT / "docs" / link).exists() for link in links)
    makefile = (ROOT / "Makefile").read_text()
    assert all(f"\n{target}:" in makefile for target in re.findall(r"make ([a-z-]+)\n", text))


def test_its_loop_turns_the_rules_into_objects_of_the_operator(tmp_path: Path) -> None:
    """Run as it is printed, with a kubectl that writes down what it is given."""
    (loop,) = [block for block in _blocks(TEXTS[NAMES[0]]) if "PrometheusRule" in block]
    kubectl = tmp_path / "kubectl"
    kubectl.write_text(f'#!/bin/sh\ncat >> {tmp_path}/applied\necho "---" >> {tmp_path}/applied\n')
    kubectl.chmod(0o755)
    path = f"{tmp_path}:{os.environ['PATH']}"
    subprocess.run(["/bin/sh", "-ec", loop], cwd=ROOT, env={"PATH": path}, check=True, timeout=20)
    applied = [
        each for each in yaml.safe_load_all((tmp_path / "applied").read_text()) if each is not None
    ]
    assert [each["metadata"]["name"] for each in applied] == [
        "dstack-backend-recording",
        "dstack-backend-alerts",
    ]
    for each, name in zip(applied, ("recording", "alerts"), strict=True):
        assert each["kind"] == "PrometheusRule"
        assert [each["spec"]] == documents(DEPLOY / "prometheus" / f"{name}.yml")


def test_its_figures_are_those_of_the_files() -> None:
    """Memory, exposure, ports, users and groups stand in both, and are the same."""
    daemonset = (DEPLOY / "kubernetes" / "daemonset.yaml").read_text()
    for figure in ("10001", "10002", "128Mi", "maxUnavailable: 5%", "minReadySeconds: 30"):
        assert figure in daemonset
    for text in TEXTS.values():
        assert all(figure in text for figure in ("10001", "10002", "128 MB", "5 %", "1.3"))
