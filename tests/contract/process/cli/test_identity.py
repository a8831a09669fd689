"""The node's identity with real processes: `/health`, the command, the log, the extra."""

import json
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from dstack_backend.testing.contracts import check_answer
from dstack_backend.testing.simulated_dstack import Remote
from tests.contract.process.service import Service, free_port, run_command

SECRET = "67dea2ed018072d675f5415ecfaed7d2597555e202d85b3d65ea4e58d2d92ffa"
KEY = "7e7e9c42a91bfef19fa929e5fda1b72e0ebc1a4c1141673e2794234d86addf4e"
NPUB = "npub10elfcs4fr0l0r8af98jlmgdh9c8tcxjvz9qkw038js35mp4dma8qzvjptg"

WITHOUT_EXTRA = """
import sys
sys.modules["nostr_sdk"] = None  # what Python does where a package is missing
from dstack_backend.app.cli.main import main
main(sys.argv[1:])
"""


@pytest.fixture
def key_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file with a secret key that every user can read."""
    file = tmp_path_factory.mktemp("keys") / "key"
    file.write_text(SECRET)
    file.chmod(0o644)
    return file


def test_service_creates_its_key_once_and_publishes_the_public_key(
    serve: Callable[..., Service], dstack: Remote, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Two starts have the same key. Only its owner can read it; no page and no log shows it."""
    file = tmp_path_factory.mktemp("keys") / "key"
    env = {"DSTACK_URL": dstack.url, "NOSTR_KEY_FILE": str(file), "NOSTR_KEY_CREATE": "1"}
    first, second = serve(**env), serve(**env)
    answers = [service.ask("/health") for service in (first, second)]
    one, other = (check_answer(answer.code, answer.body).pubkeys for answer in answers)
    assert one == other
    assert len(one) == 1
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert f"its public key is {one[0]}" in first.log
    assert "created a Nostr key" in first.log
    assert "created a Nostr key" not in second.log
    shown = [first.ask(path).body.decode() for path in ("/", "/health", "/status", "/metrics")]
    assert file.read_text() not in "".join((first.log, second.log, *shown))


def test_service_publishes_the_keys_and_the_address_that_are_set(
    serve: Callable[..., Service], dstack: Remote, key_file: Path
) -> None:
    """They are in every response. The log warns of a key file that every user can read."""
    service = serve(
        DSTACK_URL=dstack.url, NOSTR_KEY_FILE=str(key_file), ADVERTISED_IP="203.0.113.7"
    )
    service.wait_for(None)
    answer = service.ask("/health")
    info = check_answer(answer.code, answer.body)
    assert (info.pubkeys, info.ip_address) == ((KEY,), "203.0.113.7")
    assert "WARNING every user can read NOSTR_KEY_FILE" in service.log
    assert SECRET not in service.log


def test_identity_prints_keys_and_node_type(dstack: Remote, key_file: Path) -> None:
    """Exit code 0, the key in both forms, and the type of a node with eight H200s."""
    env = {"DSTACK_URL": dstack.url, "NOSTR_KEY_FILE": str(key_file)}
    done = run_command("identity", **env)
    assert done.returncode == 0, done.stderr
    expected = [f"public key  {KEY}", f"            {NPUB}", "node type   node-H200x8"]
    assert done.stdout.splitlines() == expected
    assert SECRET not in done.stderr
    as_json = run_command("identity", "--json", **env)
    assert json.loads(as_json.stdout) == {
        "pubkeys": [{"hex": KEY, "npub": NPUB}],
        "node_type": "node-H200x8",
        "detail": None,
    }


def test_identity_prints_the_key_while_dstack_is_down(key_file: Path) -> None:
    """Exit code 1, and the reason why there is no node type."""
    url = f"http://127.0.0.1:{free_port()}"
    done = run_command("identity", "--json", DSTACK_URL=url, NOSTR_KEY_FILE=str(key_file))
    assert done.returncode == 1
    report = json.loads(done.stdout)
    assert report["pubkeys"][0]["hex"] == KEY
    assert (report["node_type"], report["detail"]) == (None, "Connection error: connection refused")


@pytest.mark.parametrize("command", ["serve", "check", "identity"])
def test_invalid_key_file_ends_each_command_with_one_line(command: str, tmp_path: Path) -> None:
    """Exit code 2. The line repeats nothing of the file."""
    file = tmp_path / "key"
    file.write_text(SECRET + "0")
    file.chmod(0o600)
    listen = f"127.0.0.1:{free_port()}"
    done = run_command(command, LISTEN_ADDR=listen, NOSTR_KEY_FILE=str(file))
    assert (done.returncode, done.stdout) == (2, "")
    assert len(done.stderr.splitlines()) == 1
    assert done.stderr.startswith("dstack-backend: NOSTR_KEY_FILE (--nostr-key-file): holds no ")
    assert SECRET not in done.stderr


def _without_extra(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", WITHOUT_EXTRA, *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)


@pytest.mark.parametrize("option", ["--nostr-key-file=KEY", f"--pubkeys={NPUB}"])
def test_missing_extra_is_named_with_the_command_that_installs_it(
    option: str, key_file: Path
) -> None:
    """Exit code 2 where a key has to be read or decoded."""
    done = _without_extra("check", option.replace("KEY", str(key_file)))
    assert (done.returncode, done.stdout) == (2, "")
    assert len(done.stderr.splitlines()) == 1
    assert "pip install 'dstack-backend[nostr]'" in done.stderr


def test_hexadecimal_key_needs_no_extra(dstack: Remote) -> None:
    """Only the npub cannot be shown without the library."""
    done = _without_extra("identity", "--json", "--pubkeys", KEY, "--dstack-url", dstack.url)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["pubkeys"] == [{"hex": KEY, "npub": None}]
