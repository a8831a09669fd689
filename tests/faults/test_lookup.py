"""A name look-up that hangs. Collected only where namespaces may be had: see conftest.py."""

import json
import subprocess
import sys
from typing import Any

import pytest

from tests.faults.arena import LONGEST_ANSWER
from tests.faults.namespaces import own_namespaces

LONGEST_STOP = 3.0


@pytest.fixture(scope="module")
def seen() -> Any:
    """What the program saw."""
    way = own_namespaces()
    assert way, "conftest.py should not have collected this"
    ran = subprocess.run(
        [*way, sys.executable, "-m", "tests.faults.lookup"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    return json.loads(ran.stdout)


def test_a_name_server_that_never_answers_is_a_timeout_and_holds_up_nothing(seen: Any) -> None:
    """`timed_out`, prompt answers meanwhile, and SIGTERM does not wait for the look-up's thread."""
    assert seen["asked"], "the name server was asked"
    assert (seen["reason"], seen["detail"]) == (
        "timed_out",
        "Connection error: no answer within 1 s",
    )
    assert seen["codes"].keys() == {"503"}
    assert seen["worst"] < LONGEST_ANSWER
    assert (seen["exit"], seen["seconds"] < LONGEST_STOP) == (0, True), seen["log"]
    assert "Traceback" not in seen["log"]


def test_sigterm_at_the_start_does_not_wait_for_the_look_up_of_our_own_name(seen: Any) -> None:
    """LISTEN_ADDR may hold a name; it is looked up before anything else runs."""
    start = seen["start"]
    assert start["asked"], "the name server was asked"
    assert (start["exit"], start["seconds"] < LONGEST_STOP) == (0, True)
