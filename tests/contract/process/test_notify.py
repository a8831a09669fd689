"""Messages of the real service to a webhook, and the command `notify`."""

import json
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Generator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from dstack_backend.testing.simulated_dstack import EIGHT_H200, Remote
from tests.contract.process.service import Service, free_port, run_command, wait_until

SECRET = "s3cret-canary"

PROGRAM = """
import sys
from dstack_backend.app.config.settings import load, load_dstack
from dstack_backend.app.container import Container
settings = load({"HISTORY": "off"}, {})
Container(settings=settings, dstack_settings=load_dstack({}, {})).http_app()
print("apprise" in sys.modules)
"""


class Webhook:
    """A server that stores the messages, with the status with which it answers."""

    def __init__(self) -> None:
        self.messages: list[dict[str, str]] = []
        self.status = 200
        hook = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                hook.messages.append(json.loads(body))
                self.send_response(hook.status)
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name
                """Print nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"json://user:{SECRET}@127.0.0.1:{self._server.server_port}/{SECRET}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        """Stop it."""
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def webhook() -> Generator[Webhook]:
    """A webhook."""
    server = Webhook()
    yield server
    server.close()


@pytest.fixture
def silent() -> Generator[str]:
    """The address of a webhook that accepts connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield f"json://127.0.0.1:{listener.getsockname()[1]}"


def test_outage_reaches_a_webhook_and_its_end_comes_after_a_restart(
    webhook: Webhook, dstack: Remote, serve: Callable[..., Service], tmp_path: Path
) -> None:
    """The history tells what was told before. No secret is shown."""
    env = {"NOTIFY_URLS": webhook.url, "NOTIFY_AFTER": "1", "NOTIFY_EVERY": "1"}
    env |= {"DATA_DIR": str(tmp_path / "data"), "HISTORY": "on", "NODE_NAME": "gpu-07"}
    dstack.crash()
    service = serve(DSTACK_URL=dstack.url, **env)
    wait_until(lambda: webhook.messages)
    shown = str(service.status()) + service.ask("/").body.decode() + service.log
    service.end()
    assert [each["title"] for each in webhook.messages] == ["gpu-07: unavailable"]
    assert "Connection refused (connection_refused)" in webhook.messages[0]["message"]
    dstack.revive()
    service = serve(DSTACK_URL=dstack.url, **env)
    wait_until(lambda: len(webhook.messages) > 1)
    assert "Available again since" in webhook.messages[1]["message"]
    assert SECRET not in shown + service.log


def test_listing_without_gpus_reaches_a_webhook_once_and_the_first_gpus_do(
    webhook: Webhook, dstack: Remote, serve: Callable[..., Service], tmp_path: Path
) -> None:
    """A restart in between repeats nothing."""
    env = {"NOTIFY_URLS": webhook.url, "NOTIFY_AFTER": "0.5", "NOTIFY_EVERY": "1"}
    env |= {"DATA_DIR": str(tmp_path / "data"), "HISTORY": "on", "NODE_NAME": "gpu-07"}
    env |= {"DSTACK_URL": dstack.url, "CHECK_INTERVAL": "0.2"}
    dstack.dstack.gpus = ()
    service = serve(**env)
    wait_until(lambda: webhook.messages)
    service.end()
    service = serve(**env)
    calls = dstack.dstack.calls
    wait_until(lambda: dstack.dstack.calls > calls + 8)
    dstack.dstack.gpus = EIGHT_H200
    wait_until(lambda: "UTC: 8. None was listed for" in webhook.messages[-1]["message"])
    assert "has listed no GPU since" in webhook.messages[0]["message"]
    titles = [each["title"].removeprefix("gpu-07: ") for each in webhook.messages]
    # A start that takes longer than NOTIFY_AFTER is told as well.
    titles = [each for each in titles if each != "monitoring runs again"]
    assert titles == ["no GPUs", "GPUs are listed"]


def test_address_that_hangs_does_not_delay_the_end(
    silent: str, serve: Callable[..., Service]
) -> None:
    """The process ends while a thread waits for an answer."""
    url = f"http://127.0.0.1:{free_port()}"
    service = serve(DSTACK_URL=url, NOTIFY_URLS=silent, NOTIFY_AFTER="0")
    service.wait_for("connection_refused")
    assert service.ask("/health").code == 503
    code, seconds = service.end()
    assert code == 0
    assert seconds < 3


def test_apprise_is_not_imported_without_an_address() -> None:
    """It needs memory."""
    command = [sys.executable, "-c", PROGRAM]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout == "False\n"


@pytest.mark.parametrize("command", ["serve", "demo"])
def test_bad_address_ends_the_start_in_one_line(command: str) -> None:
    """With exit code 2 and the position."""
    env = {"NOTIFY_URLS": f"json://localhost none://{SECRET}", "HISTORY": "off"}
    done = run_command(command, LISTEN_ADDR=f"127.0.0.1:{free_port()}", **env)
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()[-1:]
    assert line.startswith("dstack-backend: NOTIFY_URLS (--notify-urls): address 2: ")
    assert SECRET not in done.stderr + done.stdout


def test_test_message_is_sent_to_each_address(webhook: Webhook) -> None:
    """One line for each; exit code 1 if one was not sent."""
    urls = f"{webhook.url} json://127.0.0.1:{free_port()}/{SECRET}"
    done = run_command("notify", "--test", NOTIFY_URLS=webhook.url, NOTIFY_LANGUAGE="zh")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("address 1 (JSON): sent in ")
    assert "\u6d4b\u8bd5" in webhook.messages[0]["title"]
    done = run_command("notify", "--test", NOTIFY_URLS=urls)
    assert (done.returncode, done.stderr) == (1, "")
    assert [line[:25] for line in done.stdout.splitlines()] == [
        "address 1 (JSON): sent in",
        "address 2 (JSON): failed ",
    ]
    assert SECRET not in done.stdout
    webhook.status = 401
    assert run_command("notify", "--test", NOTIFY_URLS=webhook.url).returncode == 1


@pytest.mark.parametrize(
    ("arguments", "urls", "line"),
    [
        ((), "json://h", "--test: is required"),
        (("--test",), "", "NOTIFY_URLS (--notify-urls): it is not set"),
        (("--test",), f"none://{SECRET}", "NOTIFY_URLS (--notify-urls): address 1: "),
    ],
)
def test_notify_with_nothing_to_do_is_refused(
    arguments: tuple[str, ...], urls: str, line: str
) -> None:
    """Exit code 2."""
    done = run_command("notify", *arguments, NOTIFY_URLS=urls)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"dstack-backend: {line}")
    assert SECRET not in done.stderr
