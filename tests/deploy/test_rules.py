"""The rules are valid, each alarm has tests, and those tests would notice if it were broken."""

import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.deploy.programs import DEPLOY, documents, run

PROMETHEUS = DEPLOY / "prometheus"
TESTS = sorted((PROMETHEUS / "tests").glob("*.yml"))
(RULES,) = documents(PROMETHEUS / "alerts.yml")
ALARMS = {rule["alert"]: rule for group in RULES["groups"] for rule in group["rules"]}

Change = Callable[[dict[str, Any]], None]


def _questions(alarm: str) -> list[tuple[Path, dict[str, Any]]]:
    """What the unit tests ask about an alarm, with the file in which they ask."""
    return [
        (file, question)
        for file in TESTS
        for test in documents(file)[0]["tests"]
        for question in test["alert_rule_test"]
        if question["alertname"] == alarm
    ]


def test_the_configuration_and_its_rules_are_valid() -> None:
    """Promtool follows prometheus.yml to the rules and finds no fault."""
    checked = run("promtool", "check", "config", "prometheus.yml", folder=PROMETHEUS)
    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert f"{len(ALARMS)} rules found" in checked.stdout


def test_the_routes_of_alarms_are_valid() -> None:
    """Amtool finds no fault, and what they name are alarms of ours."""
    checked = run("amtool", "check-config", "alertmanager.yml", folder=PROMETHEUS)
    assert checked.returncode == 0, checked.stdout + checked.stderr
    named = re.findall(r"Dstack\w+", (PROMETHEUS / "alertmanager.yml").read_text())
    assert named
    assert set(named) <= ALARMS.keys()


@pytest.mark.parametrize("file", TESTS, ids=[file.stem for file in TESTS])
def test_the_unit_tests_of_the_rules_pass(file: Path) -> None:
    """Promtool's own tests, a file at a time."""
    tested = run("promtool", "test", "rules", str(file), folder=file.parent)
    assert tested.returncode == 0, tested.stdout + tested.stderr


@pytest.mark.parametrize("alarm", ALARMS)
def test_each_alarm_is_told_apart_and_explained(alarm: str) -> None:
    """It has a known severity, and a heading of the handbook in both languages."""
    rule = ALARMS[alarm]
    assert rule["labels"]["severity"] in {"critical", "warning", "info"}
    assert rule["annotations"]["runbook"] == f"docs/operations.md#{alarm.lower()}"
    assert {"summary", "description"} <= rule["annotations"].keys()
    for name in ("operations.md", "operations.zh-CN.md"):
        assert f"\n### {alarm}\n" in (DEPLOY.parent / "docs" / name).read_text()


def _never(rule: dict[str, Any]) -> None:
    rule["expr"] = "vector(0) > 1"


def _always(rule: dict[str, Any]) -> None:
    rule["expr"] = "vector(1)"
    rule.pop("for", None)


def _at_once(rule: dict[str, Any]) -> None:
    del rule["for"]


def _much_later(rule: dict[str, Any]) -> None:
    rule["for"] = "30d"


@pytest.mark.parametrize("change", [_never, _always, _at_once, _much_later])
def test_the_unit_tests_notice_alarms_that_are_broken(change: Change, tmp_path: Path) -> None:
    """Each alarm that never fires, always, too soon or too late fails tests of its own."""
    broken: set[str] = set()
    rules = yaml.safe_load((PROMETHEUS / "alerts.yml").read_text())
    for rule in [each for group in rules["groups"] for each in group["rules"]]:
        if "for" in rule or change in {_never, _always}:
            change(rule)
            broken.add(rule["alert"])
    (tmp_path / "alerts.yml").write_text(yaml.safe_dump(rules))
    shutil.copy(PROMETHEUS / "recording.yml", tmp_path)
    shutil.copytree(PROMETHEUS / "tests", tmp_path / "tests")
    names = [f"tests/{file.name}" for file in TESTS]
    tested = run("promtool", "test", "rules", *names, folder=tmp_path)
    said = tested.stdout + tested.stderr
    assert broken <= set(re.findall(r"alertname: (\w+), time", said))


@pytest.mark.parametrize("alarm", ALARMS)
def test_each_alarm_is_seen_firing_and_silent_in_its_unit_tests(alarm: str) -> None:
    """Both are asked for, and a whole test in which it must stay silent is among them."""
    questions = _questions(alarm)
    assert [question for _, question in questions if question.get("exp_alerts")]
    silent = [
        test["name"]
        for file in TESTS
        for test in documents(file)[0]["tests"]
        if (asked := [each for each in test["alert_rule_test"] if each["alertname"] == alarm])
        and not any(each.get("exp_alerts") for each in asked)
    ]
    assert silent


def test_recorded_names_that_alarms_use_are_recorded() -> None:
    """A rule that asks for a series nobody records would be silent for ever."""
    (recording,) = documents(PROMETHEUS / "recording.yml")
    recorded = {rule["record"] for group in recording["groups"] for rule in group["rules"]}
    asked = {
        name
        for rule in ALARMS.values()
        for name in re.findall(r"\b(?:job|instance):dstack_backend\w+:\w+", rule["expr"])
    }
    assert asked
    assert asked <= recorded
