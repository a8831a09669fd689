"""Name resolution that hangs or returns unusable addresses.

Collected only where namespaces are allowed: see conftest.py.
"""

import json
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest

from tests.faults.support.arena import LONGEST_ANSWER
from tests.faults.support.crashes import CRASH_SEEN, RETURN_SEEN
from tests.faults.support.namespaces import own_namespaces

LONGEST_STOP = 3.0


def _run(scenario: str) -> Any:
    way = own_namespaces()
    assert way, "conftest.py should not have collected this"
    ran = subprocess.run(
        [*way, sys.executable, "-m", "tests.faults.support.lookup", scenario],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    return json.loads(ran.stdout)


@pytest.fixture(scope="module")
def seen() -> Any:
    """What the program saw of a silent name server."""
    return _run("silent-name-server")


def test_silent_name_server_is_a_timeout(seen: Any) -> None:
    """`timed_out` and prompt answers; SIGTERM does not wait for the resolver's thread."""
    assert seen["asked"], "the name server received a query"
    assert (seen["reason"], seen["message"]) == (
        "timed_out",
        "Connection error: no answer within 1 s",
    )
    assert seen["codes"].keys() == {"503"}
    assert seen["worst"] < LONGEST_ANSWER
    assert (seen["exit"], seen["seconds"] < LONGEST_STOP) == (0, True), seen["log"]
    assert "Traceback" not in seen["log"]


def test_sigterm_does_not_wait_for_the_resolution_of_the_listen_address(seen: Any) -> None:
    """LISTEN_ADDR may hold a name; it is resolved before anything else runs."""
    start = seen["start"]
    assert start["asked"], "the name server received a query"
    assert (start["exit"], start["seconds"] < LONGEST_STOP) == (0, True)


@pytest.mark.parametrize(
    ("scenario", "address"), [("unusable-ipv6", "2001:db8::1"), ("disabled-ipv6", "::1")]
)
def test_crash_is_seen_at_once_though_the_name_has_an_unusable_address(
    note: Callable[[str], None], scenario: str, address: str
) -> None:
    """Without a route, or on a host without IPv6, it does not count: the other was refused."""
    seen = _run(scenario)
    note(f"crash: {seen['gone'] * 1000:.0f} ms; return: {seen['back'] * 1000:.0f} ms")
    assert seen["addresses"] == sorted(["127.0.0.1", address])
    assert seen["gone"] < CRASH_SEEN
    assert seen["back"] < RETURN_SEEN


def test_certificate_is_for_the_name_without_its_final_dot() -> None:
    """`dstack.example.` is the absolute form of the name; curl accepts it as well."""
    seen = _run("final-dot")
    assert seen["check"] == 0, seen["output"]
    assert "for another" not in seen["doctor"]


def test_link_local_address_is_reached_with_each_form_of_its_zone() -> None:
    """The service and the doctor agree; the zone is not in the Host header (RFC 6874)."""
    seen = _run("link-local")
    for exit_code, *steps in seen["seen"].values():
        assert exit_code == 0
        assert [step["verdict"] for step in steps] == ["ok", "ok", "ok"], steps
    assert seen["hosts"] == ["[fe80::19]"]
