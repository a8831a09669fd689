"""Asking a node: right answers, and everything else that may listen at an address."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import msgspec
import pytest

from dstack_backend.adapters.httpx_dstack import ssl_context
from dstack_backend.adapters.httpx_dstack.errors import failure_from
from dstack_backend.adapters.httpx_status import MAX_BODY, NodeAnswer, NodeClient
from dstack_backend.domain.check import CheckFailure, Reason
from dstack_backend.testing.faults import FAULTS
from dstack_backend.testing.simulated_dstack import (
    Behaviour,
    Request,
    SimulatedDStack,
    http_answer,
)

T = TypeVar("T")

STATUS: dict[str, Any] = {
    "status": "available",
    "reason": None,
    "message": "8 GPUs, 5 free",
    "last_change": "2026-11-26T12:00:00Z",
    "inventory": {"gpu_count": 8, "free_gpu_count": 5, "gpus": [], "allow_attach_all": True},
    "degraded": False,
    "missing": [],
    "of_a_later_version": {"a": 1},
}
UPTIME = {
    "windows": [
        {"window": "24h", "up_percent": 99.5, "unknown_percent": 0.0},
        {"window": "30d", "up_percent": None, "unknown_percent": 100.0},
    ]
}


def serves(**bodies: object) -> Behaviour:
    """Answer each of these paths with JSON, and 404 otherwise."""

    async def behave(request: Request, writer: asyncio.StreamWriter) -> None:
        body = bodies.get(request.target.removeprefix("/prefix/"))
        answer = http_answer(404, b"") if body is None else http_answer(200, encoded(body))
        writer.write(answer)

    return behave


def encoded(body: object) -> bytes:
    """Return a body in JSON."""
    return body if isinstance(body, bytes) else msgspec.json.encode(body)


def with_client(
    behaviour: Behaviour, use: Callable[[NodeClient, str], Awaitable[T]], timeout: float = 5.0
) -> T:
    """Use a client with a server that behaves so."""

    async def main() -> T:
        server = SimulatedDStack()
        server.behaviour = behaviour
        url = await server.listen_tcp()
        async with NodeClient(failure_from, timeout=timeout) as client:
            try:
                return await use(client, f"{url}/prefix")
            finally:
                await server.crash()

    return asyncio.run(main())


def ask(behaviour: Behaviour, timeout: float = 5.0) -> NodeAnswer | CheckFailure:
    """Ask a node whose service behaves so."""
    return with_client(behaviour, lambda client, url: client.ask(url), timeout)


def answer_of(**bodies: object) -> NodeAnswer:
    """Return the answer of a node with these bodies."""
    answer = ask(serves(**bodies))
    assert isinstance(answer, NodeAnswer), answer
    return answer


def test_answer_has_the_status_and_the_uptime() -> None:
    """Unknown fields are ignored, and those of GPUs may be absent."""
    answer = answer_of(status=STATUS | {"node": "gpu-01"}, uptime=UPTIME)
    assert answer.uptime == {"24h": 99.5, "30d": None}
    assert (answer.status.node, answer.status.degraded) == ("gpu-01", False)
    longer = {"window": "90d", "up_percent": 99.5, "recorded": False}
    windows = {"windows": [*UPTIME["windows"], longer]}
    assert answer_of(status=STATUS, uptime=windows).uptime == answer.uptime
    others = {key: value for key, value in STATUS.items() if key not in ("degraded", "missing")}
    answer = answer_of(status=others | {"inventory": {"slots": 3}}, uptime=UPTIME)
    assert (answer.status.missing, answer.status.node) == (None, None)


def test_login_of_the_address_is_sent() -> None:
    """As Basic, with each request."""
    sent: list[str] = []

    async def behave(request: Request, writer: asyncio.StreamWriter) -> None:
        sent.append(request.headers["authorization"])
        await serves(status=STATUS, uptime=UPTIME)(request, writer)

    with_client(behave, lambda client, url: client.ask(url.replace("//", "//me:p%40ss@")))
    assert sent == ["Basic bWU6cEBzcw=="] * 2


@pytest.mark.parametrize(
    "uptime",
    [None, [], b"<html>", {"windows": [{"window": "24h", "up_percent": 1e300}]}],
    ids=["none", "list", "html", "number"],
)
def test_status_does_not_need_the_uptime(uptime: object) -> None:
    """A part of an answer is better than none."""
    bodies = {"status": STATUS} if uptime is None else {"status": STATUS, "uptime": uptime}
    assert answer_of(**bodies).uptime == {}


def test_status_does_not_wait_for_an_uptime_that_hangs() -> None:
    """Both have the same deadline."""

    async def behave(request: Request, writer: asyncio.StreamWriter) -> None:
        if not request.target.endswith("/status"):
            await asyncio.sleep(3600)
        writer.write(http_answer(200, encoded(STATUS)))

    answer = ask(behave, timeout=2.0)
    assert isinstance(answer, NodeAnswer)
    assert answer.uptime == {}


@pytest.mark.parametrize(
    "body",
    [
        *(b"", b"<!doctype html><title>nginx</title>", b"{}", b"null", b"\xff\xfe", b"[" * 99_999),
        encoded(STATUS | {"status": "fine"}),
        encoded(STATUS | {"last_change": "2026-11-26T12:00:00"}),
        encoded(STATUS | {"missing": [{"slot": 1}]}),
        encoded({"version": "1.0.0", "status": "available", "metadata": "{}"}),
    ],
    ids=lambda body: repr(body[:30]),
)
def test_answer_of_another_service_is_a_failure(body: bytes) -> None:
    """Also that of `/health`."""
    answer = ask(serves(status=body))
    expected = CheckFailure(Reason.INVALID_RESPONSE, "the answer is not that of dstack-backend")
    assert answer == expected


def test_body_of_any_size_is_a_failure() -> None:
    """It is not read to its end."""
    body = encoded(STATUS | {"note": "x" * MAX_BODY})
    assert ask(serves(status=body)) == CheckFailure(Reason.RESPONSE_TOO_LARGE)


@pytest.mark.parametrize("name", FAULTS)
def test_each_fault_of_a_server_is_a_failure_in_time(name: str) -> None:
    """It hangs, resets, redirects, trickles, compresses, sends no HTTP. No text of it is shown."""
    answer = ask(FAULTS[name].behaviour, timeout=0.5)
    assert isinstance(answer, CheckFailure)
    assert "canary" not in answer.message


def test_port_without_a_server_and_unknown_host_are_failures() -> None:
    """The reasons are those of a check."""

    async def main() -> list[NodeAnswer | CheckFailure]:
        async with NodeClient(failure_from, tls=ssl_context()) as client:
            urls = ("http://127.0.0.1:1", "http://gpu.invalid:8080", "https://127.0.0.1:1")
            return [await client.ask(url) for url in urls]

    refused, unknown, refused_tls = asyncio.run(main())
    assert refused == refused_tls == CheckFailure(Reason.CONNECTION_REFUSED)
    assert isinstance(unknown, CheckFailure)
    assert unknown.reason is Reason.HOST_NOT_FOUND


async def count_updates(client: NodeClient, url: str) -> int:
    """Return how many updates a stream has until it ends."""
    return len([None async for _ in client.updates(url)])


def streams(*pieces: bytes, kind: str = "text/event-stream; charset=utf-8") -> Behaviour:
    """Send a stream of pieces with pauses between them, and end it."""

    async def behave(_: Request, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: %s\r\n\r\n" % kind.encode())
        for piece in pieces:
            await writer.drain()
            await asyncio.sleep(0.05)
            writer.write(piece)
        writer.close()

    return behave


def test_stream_has_an_update_for_each_event_and_none_for_a_comment() -> None:
    """It ends when the service ends it."""
    event = b'id: 1\ndata: {"status":"available","reason":null}\n\n'
    assert with_client(streams(event, b": keep-alive\n\n", event), count_updates) == 2


def test_answer_that_is_no_stream_has_no_update() -> None:
    """HTML, or a path that does not exist."""
    assert with_client(streams(b"<p>", kind="text/html"), count_updates) == 0
    assert with_client(serves(), count_updates) == 0


@pytest.mark.parametrize("name", ["reset-in-headers", "ssh", "status-500", "endless-early-hints"])
def test_stream_that_fails_ends(name: str) -> None:
    """It does not raise."""
    assert with_client(FAULTS[name].behaviour, count_updates, timeout=0.5) == 0
