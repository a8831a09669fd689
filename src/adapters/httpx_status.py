"""Asks running services over HTTP for what they know: `/status`, `/uptime` and `/events`.

The other side may be anything that listens at an address which was mistyped. So each answer has a
total deadline and a limit for its body, and a failure is a value.
"""

import asyncio
import ssl
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing, suppress
from datetime import datetime
from http import HTTPStatus
from typing import Annotated, Any, Self, TypeVar

import httpx
import msgspec
from msgspec import Meta, Struct

from dstack_backend import __version__
from dstack_backend.domain.check import CheckFailure, Reason
from dstack_backend.domain.status import Status

__all__ = ["MissingGpu", "NodeAnswer", "NodeClient", "NodeStatus"]

TIMEOUT = 5.0
"""Seconds in total for what one node is asked."""

STREAM_TIMEOUT = 20.0
"""Seconds without a byte after which a stream counts as broken. A comment comes every 15 s."""

STREAM_PAUSE = 0.1
"""Seconds between two reads of a stream, so that a flood of events costs little."""

MAX_BODY = 2 * 1024 * 1024
"""Bytes. `/status` of a node with 64 GPUs has 12 kB."""

EVENT_STREAM = "text/event-stream"

Time = Annotated[datetime, Meta(tz=True)]
Percent = Annotated[float, Meta(ge=0, le=100)]

T = TypeVar("T")

_HEADERS = {"Accept-Encoding": "identity", "User-Agent": f"dstack-backend/{__version__}"}


class MissingGpu(Struct, frozen=True):
    """A GPU that was lost."""

    slot: str
    last_seen: Time


class NodeStatus(Struct, frozen=True, kw_only=True):
    """What is read of `/status`. Its texts are not trusted. The inventory may be any object."""

    status: Status
    reason: str | None
    message: str
    last_change: Time
    inventory: Any
    degraded: bool = False
    missing: tuple[MissingGpu, ...] | None = None
    node: str | None = None


class _Window(Struct, frozen=True):
    window: str
    up_percent: Percent | None
    recorded: bool = True


class _Uptime(Struct, frozen=True):
    windows: tuple[_Window, ...]


class NodeAnswer(Struct, frozen=True):
    """What a node answered.

    Attributes:
        status: Its status.
        uptime: By window, without those of which no more is recorded than of a shorter one. Empty
            where it could not be had.
    """

    status: NodeStatus
    uptime: dict[str, float | None]


_status_decoder = msgspec.json.Decoder(NodeStatus)
_uptime_decoder = msgspec.json.Decoder(_Uptime)


class NodeClient:
    """Asks nodes, by the URLs of their services. Use it as an asynchronous context manager."""

    def __init__(
        self,
        failure_from: Callable[[Exception], CheckFailure],
        *,
        tls: ssl.SSLContext | None = None,
        timeout: float = TIMEOUT,
    ) -> None:
        """Open nothing yet.

        Args:
            failure_from: Returns the failure that an exception of a connection means.
            tls: The context for `https://`.
            timeout: Seconds in total for what one node is asked.
        """
        self._failure_from = failure_from
        self._timeout = timeout
        # A connection is used for the next request at once, and never a second later, when the
        # other side may just be closing it.
        limits = httpx.Limits(keepalive_expiry=0.5)
        self._client = httpx.AsyncClient(
            verify=tls or False,
            trust_env=False,
            timeout=None,  # noqa: S113 - each use has a deadline
            limits=limits,
            headers=_HEADERS,
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._client.aclose()

    async def ask(self, url: str) -> NodeAnswer | CheckFailure:
        """Return what the node answers, or why it gives no answer, within the timeout."""
        ends_at = asyncio.get_running_loop().time() + self._timeout
        status = await self._get(f"{url}/status", _status_decoder, ends_at)
        if isinstance(status, CheckFailure):
            return status
        uptime = await self._get(f"{url}/uptime", _uptime_decoder, ends_at)
        windows = () if isinstance(uptime, CheckFailure) else uptime.windows
        return NodeAnswer(
            status, {each.window: each.up_percent for each in windows if each.recorded}
        )

    async def updates(self, url: str) -> AsyncGenerator[None]:
        """Yield for updates in the node's event stream. Ends when there is none, or no more."""
        timeout = httpx.Timeout(self._timeout, read=STREAM_TIMEOUT)
        request = self._client.build_request("GET", f"{url}/events", timeout=timeout)
        with suppress(Exception):  # a stream that fails has ended
            async with asyncio.timeout(self._timeout):
                response = await self._client.send(request, stream=True)
            async with aclosing(response):
                kind = response.headers.get("Content-Type", "")
                if response.status_code != HTTPStatus.OK or not kind.startswith(EVENT_STREAM):
                    return
                async for piece in response.aiter_raw():
                    if b"data:" in piece:  # and not only a comment
                        yield
                    await asyncio.sleep(STREAM_PAUSE)

    async def _get(
        self, url: str, decoder: msgspec.json.Decoder[T], ends_at: float
    ) -> T | CheckFailure:
        deadline = asyncio.timeout_at(ends_at)
        try:
            async with deadline, self._client.stream("GET", url) as response:
                return await _decode(response, decoder)
        except Exception as exc:  # noqa: BLE001 - a failure is a value
            if deadline.expired():
                return CheckFailure(Reason.TIMED_OUT, f"no answer within {self._timeout:g} s")
            if isinstance(exc, httpx.RemoteProtocolError):
                return CheckFailure(Reason.INVALID_RESPONSE, "no complete answer in HTTP/1.1")
            return self._failure_from(exc)


async def _decode(response: httpx.Response, decoder: msgspec.json.Decoder[T]) -> T | CheckFailure:
    if response.status_code != HTTPStatus.OK:
        return CheckFailure(Reason.HTTP_ERROR, f"status {response.status_code}, not 200")
    body = bytearray()
    async for piece in response.aiter_raw():
        body += piece
        if len(body) > MAX_BODY:
            return CheckFailure(Reason.RESPONSE_TOO_LARGE)
        await asyncio.sleep(0)  # a body of tiny pieces arrives without a pause
    try:
        return decoder.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return CheckFailure(Reason.INVALID_RESPONSE, "the answer is not that of dstack-backend")
