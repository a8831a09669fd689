"""Servers that are slow, refuse, redirect, hang, or send garbage. `send` never raises."""

import asyncio
import contextlib
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Generator, Iterator

import pytest
import trustme

from dstack_backend.adapters.apprise_notifier import AppriseTarget
from tests.contract.ports.notifier.mail_server import mail_server, mail_url
from tests.contract.ports.notifier.web_server import (
    Reply,
    WebServer,
    answer,
    endless,
    garbage,
    half,
    hang,
    large,
    slow,
    trickle,
    web_server,
)
from tests.contract.process.certificates import server_context
from tests.contract.process.service import free_port, wait_until

WEBHOOK = "json://user:pass@127.0.0.1:{}/hook"
NTFY = "ntfy://user:pass@127.0.0.1:{}/nodes"
MAIL = mail_url(0).replace(":0?", ":{}?")


def _send(url: str, timeout: float = 5.0) -> bool:
    return AppriseTarget(url, "node monitor", timeout).send("title", "body")


@pytest.fixture(scope="module")
def web() -> Iterator[WebServer]:
    """A server to which the tests of this module tell how to answer."""
    with web_server() as server:
        yield server


@pytest.fixture(scope="module", params=[WEBHOOK, NTFY])
def target(request: pytest.FixtureRequest, web: WebServer) -> AppriseTarget:
    """The server as a webhook, and as ntfy."""
    return AppriseTarget(request.param.format(web.port), "node monitor")


def _sends(target: AppriseTarget, web: WebServer, reply: Reply) -> bool:
    """Send, and check that it makes one request: a second one is the sender's decision."""
    web.reply = reply
    web.requests.clear()
    is_sent = target.send("title", "body")
    assert len(web.requests) == 1
    return is_sent


@pytest.mark.parametrize("reply", [slow, large])
def test_slow_and_large_responses_are_read(
    target: AppriseTarget, web: WebServer, reply: Reply
) -> None:
    """Two seconds, and 5 MB."""
    assert _sends(target, web, reply)


@pytest.mark.parametrize("code", [401, 403, 500])
def test_refused_message_is_not_sent(target: AppriseTarget, web: WebServer, code: int) -> None:
    """Whatever the reason is."""
    assert not _sends(target, web, answer(code))


def test_refused_message_counts_also_for_an_optional_address(web: WebServer) -> None:
    """For Apprise a message to such an address is sent in any case."""
    url = WEBHOOK.format(web.port) + "?optional=yes"
    assert not _sends(AppriseTarget(url, "node monitor"), web, answer(403))


@pytest.mark.parametrize("reply", [half, garbage])
def test_broken_response_is_a_failure(target: AppriseTarget, web: WebServer, reply: Reply) -> None:
    """The message may have arrived, but the server has not said so."""
    assert not _sends(target, web, reply)


@pytest.mark.parametrize("code", [302, 307])
def test_redirect_is_not_followed(target: AppriseTarget, web: WebServer, code: int) -> None:
    """The other server would get the message, and with it the password."""
    with web_server() as other:
        assert not _sends(target, web, answer(code, Location=f"http://127.0.0.1:{other.port}/"))
        assert other.requests == []


async def _refuse() -> str:
    return "550 no"


async def _wait() -> str:
    await asyncio.sleep(2)
    return "250 OK"


def test_mail_server_may_be_slow() -> None:
    """It answers to RCPT and to DATA after two seconds each."""
    with mail_server(recipient=_wait, data=_wait) as server:
        assert _send(server.url, 20)
        assert len(server.messages) == 1


def test_mail_server_refuses() -> None:
    """The recipient, the message, or the password."""
    with mail_server(recipient=_refuse) as server:
        assert not _send(server.url)
        assert server.messages == []
    with mail_server(data=_refuse) as server:
        assert not _send(server.url)
        assert not _send(mail_url(server.port, password="wrong"))
        assert len(server.messages) == 1


@pytest.mark.parametrize("url", [WEBHOOK, NTFY, MAIL])
def test_closed_port_is_a_failure(url: str) -> None:
    """At once."""
    assert not _send(url.format(free_port()))


@contextlib.contextmanager
def _listener(talk: Callable[[socket.socket], None]) -> Generator[int]:
    """Run a server that does something with each connection, in threads."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            with contextlib.suppress(OSError):
                while True:
                    threading.Thread(target=talk, args=(listener.accept()[0],), daemon=True).start()

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)
        thread.join()


def _close(connection: socket.socket) -> None:
    connection.close()


def _send_garbage(connection: socket.socket) -> None:
    with contextlib.suppress(OSError), connection:
        connection.sendall(bytes(range(256)) * 8)


@pytest.mark.parametrize("url", [WEBHOOK, NTFY, MAIL])
@pytest.mark.parametrize("talk", [_close, _send_garbage])
def test_server_of_another_protocol_is_a_failure(
    url: str, talk: Callable[[socket.socket], None]
) -> None:
    """It closes the connection, or sends bytes without sense."""
    with _listener(talk) as port:
        assert not _send(url.format(port))


@pytest.mark.parametrize("url", [WEBHOOK, NTFY, MAIL])
def test_hanging_server_times_out(url: str) -> None:
    """It accepts the connection and sends nothing. Beside the timeout, a process starts."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        target = AppriseTarget(url.format(silent.getsockname()[1]), "node monitor", 1.0)
        started = time.monotonic()
        assert not target.send("title", "body")
        assert 1.0 <= time.monotonic() - started < 8.0


@pytest.mark.parametrize("reply", [hang, trickle, endless])
def test_response_without_an_end_times_out(reply: Reply) -> None:
    """Nothing, a byte from time to time, which no timeout of a socket ends, or more and more."""
    with web_server(reply) as server:
        started = time.monotonic()
        assert not _send(WEBHOOK.format(server.port), 1.0)
        assert time.monotonic() - started < 10.0
        assert len(server.requests) == 1


def test_address_that_hangs_does_not_delay_another_one() -> None:
    """Its process waits for an answer while the other one's sends."""
    with web_server(hang) as silent, web_server() as server:
        slow_target = AppriseTarget(WEBHOOK.format(silent.port), "node monitor", 5.0)
        target = AppriseTarget(WEBHOOK.format(server.port), "node monitor", name="JSON")
        thread = threading.Thread(target=slow_target.send, args=("title", "body"))
        thread.start()
        wait_until(lambda: silent.requests)
        assert target.send("title", "body")
        assert thread.is_alive()
        thread.join()


@pytest.mark.parametrize("schema", ["jsons", "ntfys"])
def test_certificate_without_trust_is_a_failure(authority: trustme.CA, schema: str) -> None:
    """Nothing is sent. With `verify=no` the operator has allowed it."""
    tls = server_context(authority.issue_cert("127.0.0.1"))
    with web_server(tls=tls) as server:
        url = f"{schema}://user:pass@127.0.0.1:{server.port}/nodes"
        assert not _send(url)
        assert server.requests == []
        assert _send(f"{url}?verify=no")
        assert len(server.requests) == 1


def test_mail_server_without_trust_is_a_failure(authority: trustme.CA) -> None:
    """Nothing is sent."""
    with mail_server(tls=server_context(authority.issue_cert("127.0.0.1"))) as server:
        url = mail_url(server.port, schema="mailtos")
        assert not _send(url)
        assert server.messages == []
        assert _send(f"{url}&verify=no")


EXIT = """
import sys, threading
from dstack_backend.adapters.apprise_notifier import AppriseTarget
target = AppriseTarget(sys.stdin.readline().strip(), "node monitor")
threading.Thread(target=target.send, args=("title", "body"), daemon=True).start()
sys.stdin.readline()
"""


def test_interpreter_ends_while_a_message_is_sent() -> None:
    """It does not wait for the process that sends."""
    with web_server(hang) as server:
        command = [sys.executable, "-c", EXIT]
        with subprocess.Popen(command, stdin=subprocess.PIPE, text=True) as process:
            assert process.stdin is not None
            process.stdin.write(WEBHOOK.format(server.port) + "\n")
            process.stdin.flush()
            wait_until(lambda: server.requests, 20)
            process.stdin.close()
            started = time.monotonic()
            assert process.wait(10) == 0
            assert time.monotonic() - started < 3.0
