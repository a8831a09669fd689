"""Texts of a hostile DStack do not reach the terminal: no command prints a character it obeys."""

import json
from collections.abc import Callable

import pytest

from dstack_backend.domain import Gpu
from dstack_backend.testing.simulated_dstack import Remote
from tests.contract.process.service import Service, free_port, run_command

HOSTILE = "a\x9b31m\x7f\x1b[2J\u202ebc\u2028\r\n\t\U000e0001é✓ [X\x85]"


@pytest.fixture
def hostile(dstack: Remote) -> Remote:
    """A DStack whose texts a terminal would obey."""
    dstack.dstack.gpus = [
        Gpu(slot=HOSTILE, product_id="10de:ffff", description=HOSTILE, is_free=True)
    ]
    return dstack


@pytest.mark.parametrize(
    "arguments",
    [
        *(["check"], ["check", "--pretty"], ["identity"], ["identity", "--json"]),
        *(["doctor"], ["doctor", "--json"]),
    ],
)
def test_output_is_printable(arguments: list[str], hostile: Remote) -> None:
    """Each line, also where standard output is not a terminal."""
    done = run_command(*arguments, DSTACK_URL=hostile.url, LISTEN_ADDR=f"127.0.0.1:{free_port()}")
    assert done.stdout
    assert all(line.isprintable() for line in done.stdout.split("\n"))


def test_output_of_check_equals_the_body_of_health(
    hostile: Remote, serve: Callable[..., Service]
) -> None:
    """The text differs in its escapes only, and `/health` is not escaped."""
    done = run_command("check", DSTACK_URL=hostile.url)
    service = serve(DSTACK_URL=hostile.url)
    service.wait_for(None)
    body = service.ask("/health").body
    assert json.loads(done.stdout) == json.loads(body)
    assert b"\x7f" in body
    assert json.loads(json.loads(done.stdout)["metadata"])["gpus"][0]["description"] == HOSTILE
