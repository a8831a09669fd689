"""The report of `dstack-backend doctor --json`."""

import json
from typing import Any

from tests.contract.process.service import free_port, run_command

__all__ = ["SECRET", "result", "run_doctor"]

SECRET = "s3cr3t-canary"


def run_doctor(**env: str) -> Any:
    """Run `doctor --json` and return its object, with the steps by name."""
    done = run_command("doctor", "--json", **{"LISTEN_ADDR": f"127.0.0.1:{free_port()}", **env})
    report = json.loads(done.stdout)
    assert done.returncode == report["exit_code"], done.stderr
    assert SECRET not in done.stdout + done.stderr
    report["steps"] = {step["step"]: step for step in report["steps"]}
    return report


def result(report: Any, step: str) -> tuple[str, str | None]:
    """Return verdict and reason of a step."""
    return report["steps"][step]["verdict"], report["steps"][step]["reason"]
