"""The default address on hosts with IPv4, with IPv6, and with both.

Collected only where namespaces are allowed: see conftest.py.
"""

import json
import subprocess
import sys

import pytest

from tests.faults.support.namespaces import own_namespaces


@pytest.mark.parametrize(
    ("scenario", "answering"),
    [
        ("dual-stack", ["127.0.0.1", "::1", "fd00::7"]),
        ("ipv6-only", ["::1", "fd00::7"]),
        ("ipv6-switched-off", ["127.0.0.1"]),
        ("no-ipv6", ["127.0.0.1"]),
    ],
)
def test_service_answers_on_each_address_of_the_host(scenario: str, answering: list[str]) -> None:
    """With LISTEN_ADDR unset; `healthcheck` and the doctor reach it, too."""
    way = own_namespaces()
    assert way, "conftest.py should not have collected this"
    ran = subprocess.run(
        [*way, sys.executable, "-m", "tests.faults.support.addresses", scenario],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    assert json.loads(ran.stdout) == {"answering": answering, "healthcheck": 0, "listen": "ok"}
