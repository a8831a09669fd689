"""The systemd unit is valid and hardened, and its example of settings is valid."""

import re
import sys
from pathlib import Path

import pytest

from dstack_backend.app.config.settings import SETTINGS, load
from tests.deploy.programs import DEPLOY, run

FOLDER = DEPLOY / "systemd"
UNIT = (FOLDER / "dstack-backend.service").read_text()
ENVIRONMENT = (FOLDER / "dstack-backend.env").read_text()

MOST_EXPOSED = 1.3
"""Of 10; systemd calls less than 2 OK. The rest is the network access that the service needs."""


@pytest.fixture
def unit(tmp_path: Path) -> Path:
    """Return the unit with a program that exists: the service is not installed here."""
    path = tmp_path / "dstack-backend.service"
    path.write_text(
        re.sub(r"^ExecStart=.*$", f"ExecStart={sys.executable}", UNIT, flags=re.MULTILINE)
    )
    return path


def test_the_unit_is_valid(unit: Path) -> None:
    """Systemd reports neither an error nor an unknown directive."""
    verified = run("systemd-analyze", "verify", "--man=no", str(unit))
    # Other units of the machine may have errors.
    errors = [line for line in verified.stderr.splitlines() if unit.name in line]
    assert errors == []
    assert verified.returncode == 0, verified.stderr


def test_verification_reports_an_unknown_directive(unit: Path) -> None:
    """Otherwise the test above would prove nothing."""
    unit.write_text(unit.read_text().replace("ProtectHome=", "ProtectHoem="))
    assert "ProtectHoem" in run("systemd-analyze", "verify", "--man=no", str(unit)).stderr


def test_the_unit_is_hardened(unit: Path) -> None:
    """The exposure that systemd computes does not increase."""
    threshold = f"--threshold={MOST_EXPOSED * 10:.0f}"
    result = run(
        "systemd-analyze", "security", "--offline=true", threshold, "--no-pager", str(unit)
    )
    assert result.returncode == 0, result.stdout + result.stderr
    assert "Overall exposure level" in result.stdout


@pytest.mark.parametrize(
    "line",
    [
        "Type=notify",
        "NotifyAccess=main",
        "WatchdogSec=30",
        "DynamicUser=yes",
        "NoNewPrivileges=yes",
        "ProtectSystem=strict",
        "CapabilityBoundingSet=",
        "RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6",
        "SystemCallFilter=@system-service",
        "StateDirectory=dstack-backend",
        "SupplementaryGroups=dstack",
        "MemoryMax=256M",
        "Restart=always",
        "RestartPreventExitStatus=2",
    ],
)
def test_the_unit_contains_what_the_documents_promise(line: str) -> None:
    """Each line is in the unit literally."""
    assert f"\n{line}\n" in UNIT


def test_the_state_folder_is_data_dir() -> None:
    """The service stores its history in the folder that systemd creates."""
    assert "Environment=DATA_DIR=%S/dstack-backend" in UNIT


def test_the_example_of_settings_is_valid() -> None:
    """Set variables have valid values; comments contain defaults, or else valid examples."""
    known = {setting.variable: setting.default for setting in SETTINGS}
    given = dict(re.findall(r"^([A-Z_]+)=(.+)$", ENVIRONMENT, re.MULTILINE))
    assert given
    load(given, {})
    shown = dict(re.findall(r"^# ([A-Z_]+)=(.+)$", ENVIRONMENT, re.MULTILINE))
    assert all(known[name] in ("", value) for name, value in shown.items())
    load(shown, {})
    assert {"LISTEN_ADDR", "CHECK_INTERVAL", "DSTACK_URL"} <= shown.keys()
    assert "DSTACK_TOKEN=" not in ENVIRONMENT
