"""Notices within milliseconds that DStack has gone or come back, without a request.

One idle connection is held to DStack. It closes when the process dies, but also when DStack closes
an idle connection, every 10 s. Therefore the connection is opened again, and DStack has gone only
where that is refused. Opening is then tried every `RETRY_WHILE_GONE` seconds.

The result is a hint to check and decides nothing. A firewall that drops packets gives no hint. A
server that closes idle connections at once, or that sends something, is connected to less and less
often; then the regular checks remain.
"""

import asyncio
import contextlib
import errno

import anyio
from anyio.abc import ByteStream

from dstack_backend.adapters.httpx_dstack.address import DStackAddress
from dstack_backend.adapters.httpx_dstack.connection import open_connection
from dstack_backend.adapters.httpx_dstack.errors import causes_of

__all__ = ["ConnectionWatcher", "has_no_listener"]

RETRY_WHILE_GONE = 0.2
"""Seconds between two attempts while nothing listens. A refused connection costs nothing."""

STEADY = 1.0
"""Seconds from which on a connection that was closed counts as one that was held."""

SECOND_ATTEMPT = 0.05
"""Seconds to the next attempt after the first connection in a row that did not become steady.

A process that dies closes one descriptor after the other: its listener may still accept when the
held connection is closed already.
"""

LONGEST_PAUSE = 10.0

# Not ECONNRESET: a listener that resets each connection would come and go with each attempt.
_NO_LISTENER = {errno.ECONNREFUSED, errno.ENOENT}
_UNUSABLE = {errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT, errno.ENETUNREACH, errno.EHOSTUNREACH}


def has_no_listener(error: Exception) -> bool:
    """Return whether a failure to connect means that nothing listens.

    At least one address of the host was refused, and each other one cannot be used at all: a name
    may have an IPv6 address on a host without IPv6.
    """
    causes = [each for each in causes_of(error) if isinstance(each, OSError)]
    numbers = {each.errno for each in causes if each.errno is not None}
    return bool(numbers & _NO_LISTENER) and numbers <= _NO_LISTENER | _UNUSABLE


class ConnectionWatcher:
    """Implements `ConnectivityWatcher` with an idle connection to one DStack."""

    def __init__(self, address: DStackAddress, *, timeout: float = 5.0) -> None:
        """Open nothing yet.

        Args:
            address: Where DStack listens.
            timeout: Seconds that opening a connection may take.
        """
        self._address = address
        self._timeout = timeout
        self._is_gone = False
        self._pause = 0.0

    async def wait_for_change(self) -> None:
        """Wait until DStack seems to have gone or come back."""
        was_gone = self._is_gone
        while self._is_gone == was_gone:
            await asyncio.sleep(self._pause)
            await self._probe()

    async def _probe(self) -> None:
        """Open a connection, hold it until it closes, and choose the pause before the next."""
        try:
            async with asyncio.timeout(self._timeout):
                stream = await open_connection(self._address)
        except (OSError, UnicodeError) as exc:
            if has_no_listener(exc):
                self._is_gone, self._pause = True, RETRY_WHILE_GONE
            else:
                self._pause = self._longer_pause()
            return
        async with stream:
            if self._is_gone:
                self._is_gone, self._pause = False, 0.0
            else:
                self._pause = await self._hold(stream)

    async def _hold(self, stream: ByteStream) -> float:
        """Wait until the other side closes, and return the pause before the next attempt."""
        clock = asyncio.get_running_loop().time
        opened = clock()
        with contextlib.suppress(anyio.EndOfStream, anyio.BrokenResourceError):
            await stream.receive(1)
        return 0.0 if clock() - opened >= STEADY else self._longer_pause()

    def _longer_pause(self) -> float:
        if not self._pause:
            return SECOND_ATTEMPT
        return min(max(STEADY, 2 * self._pause), LONGEST_PAUSE)
