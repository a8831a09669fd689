"""The rules are valid, each alert has tests, and the tests fail for a broken alert."""

import re
import shutil
import subprocess
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import cycle
from pathlib import Path
from typing import Any

import pytest
import yaml
from msgspec.structs import replace

from dstack_backend.domain.gpu import KNOWN_MODELS
from tests.deploy.programs import DEPLOY, HANDBOOK, RUNBOOK, documents, run
from tests.unit.adapters.prometheus_metrics.harness import H200, Node

PROMETHEUS = DEPLOY / "prometheus"
TESTS = sorted((PROMETHEUS / "tests").glob("*.yml"))
(RULES,) = documents(PROMETHEUS / "alerts.yml")
ALERTS = {rule["alert"]: rule for group in RULES["groups"] for rule in group["rules"]}

Change = Callable[[dict[str, Any]], None]


def _unit_tests(alert: str) -> list[dict[str, Any]]:
    """Return the unit tests of an alert."""
    return [
        each
        for file in TESTS
        for test in documents(file)[0]["tests"]
        for each in test["alert_rule_test"]
        if each["alertname"] == alert
    ]


def _promtool_test(file: Path) -> subprocess.CompletedProcess[str]:
    """Run the unit tests in a file."""
    return run("promtool", "test", "rules", str(file), folder=file.parent)


def test_prometheus_configuration_and_rules_are_valid() -> None:
    """Promtool checks prometheus.yml and the rules that it names."""
    checked = run("promtool", "check", "config", "prometheus.yml", folder=PROMETHEUS)
    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert f"{len(ALERTS)} rules found" in checked.stdout


def test_alertmanager_configuration_is_valid() -> None:
    """Amtool accepts it, and each alert that it names exists."""
    checked = run("amtool", "check-config", "alertmanager.yml", folder=PROMETHEUS)
    assert checked.returncode == 0, checked.stdout + checked.stderr
    names = re.findall(r"Dstack\w+", (PROMETHEUS / "alertmanager.yml").read_text())
    assert names
    assert set(names) <= ALERTS.keys()


def test_the_largest_exposition_is_below_the_limit_of_samples() -> None:
    """Prometheus rejects a scrape with more samples, as if the service did not answer."""
    (config,) = documents(PROMETHEUS / "prometheus.yml")
    models = sorted(KNOWN_MODELS)
    gpus = [
        replace(H200, slot=f"{slot:02x}:00.0", product_id="", description=f"[{model}]")
        for slot, model in zip(range(100), cycle(models), strict=False)
    ]
    node = Node()
    node.list_gpus(*gpus)
    assert 500 < len(node.scrape()) < 0.8 * config["scrape_configs"][0]["sample_limit"]


@pytest.mark.parametrize("file", TESTS, ids=[file.stem for file in TESTS])
def test_the_promtool_tests_pass(file: Path) -> None:
    """One file at a time."""
    tested = _promtool_test(file)
    assert tested.returncode == 0, tested.stdout + tested.stderr


@pytest.mark.parametrize("alert", ALERTS)
def test_each_alert_has_a_severity_and_a_heading_in_both_languages(alert: str) -> None:
    """The heading is the target of its runbook annotation."""
    rule = ALERTS[alert]
    assert rule["labels"]["severity"] in {"critical", "warning", "info"}
    assert rule["annotations"]["runbook"] == f"{RUNBOOK}{alert.lower()}"
    assert {"summary", "description"} <= rule["annotations"].keys()
    for name in HANDBOOK:
        assert f"\n### {alert}\n" in (DEPLOY.parent / name).read_text()


def _never(rule: dict[str, Any]) -> None:
    rule["expr"] = "vector(0) > 1"


def _always(rule: dict[str, Any]) -> None:
    rule["expr"] = "vector(1)"
    rule.pop("for", None)
    del rule["annotations"]  # expensive to fill in


def _immediately(rule: dict[str, Any]) -> None:
    rule.pop("for", None)
    del rule["annotations"]


@pytest.mark.parametrize(
    ("change", "expects_alerts"), [(_never, True), (_always, False), (_immediately, False)]
)
def test_the_promtool_tests_detect_broken_alerts(
    change: Change, tmp_path: Path, *, expects_alerts: bool
) -> None:
    """An alert that never fires fails where it should; one that fires always or too early does not.

    Each change is tested by the expectations that it must break, and by no others.
    """
    rules = yaml.safe_load((PROMETHEUS / "alerts.yml").read_text())
    broken: set[str] = set()
    for rule in [each for group in rules["groups"] for each in group["rules"]]:
        if "for" in rule or change is not _immediately:
            change(rule)
            broken.add(rule["alert"])
    (tmp_path / "alerts.yml").write_text(yaml.safe_dump(rules))
    shutil.copy(PROMETHEUS / "recording.yml", tmp_path)
    (tmp_path / "tests").mkdir()
    with ThreadPoolExecutor() as pool:  # one process for each file, on all processors
        tests = (_write_tests(file, tmp_path / "tests", expects_alerts) for file in TESTS)
        output = "".join(each.stdout + each.stderr for each in pool.map(_promtool_test, tests))
    assert broken <= set(re.findall(r"alertname: (\w+), time", output))


def _write_tests(file: Path, folder: Path, expects_alerts: bool) -> Path:  # noqa: FBT001 - private
    """Write the tests of a file, with only those expectations that expect alerts, or none."""
    # `0x20` is a series, not 32; therefore not safe_load.
    content = yaml.load(file.read_text(), yaml.BaseLoader)  # noqa: S506 - makes strings only
    for test in content["tests"]:
        test.pop("promql_expr_test", None)
        test["alert_rule_test"] = [
            each
            for each in test["alert_rule_test"]
            if bool(each.get("exp_alerts")) == expects_alerts
        ]
    content["tests"] = [test for test in content["tests"] if test["alert_rule_test"]]
    path = folder / file.name
    path.write_text(yaml.safe_dump(content))
    return path


@pytest.mark.parametrize("alert", ALERTS)
def test_each_alert_is_tested_firing_and_silent(alert: str) -> None:
    """One test expects it to fire, and one whole test expects it to stay silent."""
    assert [each for each in _unit_tests(alert) if each.get("exp_alerts")]
    silent = [
        test["name"]
        for file in TESTS
        for test in documents(file)[0]["tests"]
        if (found := [each for each in test["alert_rule_test"] if each["alertname"] == alert])
        and not any(each.get("exp_alerts") for each in found)
    ]
    assert silent


def test_each_recorded_series_of_the_alerts_has_a_rule() -> None:
    """An alert on a series that is not recorded would never fire."""
    (recording,) = documents(PROMETHEUS / "recording.yml")
    recorded = {rule["record"] for group in recording["groups"] for rule in group["rules"]}
    used = {
        name
        for rule in ALERTS.values()
        for name in re.findall(r"\b(?:job|instance):dstack_backend\w+:\w+", rule["expr"])
    }
    assert used
    assert used <= recorded
