"""Notices in milliseconds that DStack has gone or come back, without asking it anything.

One idle connection is held to DStack. A process that dies closes it. So does a DStack in good
health, every 10 s; therefore the connection is opened again, and only where that is refused has
DStack gone. While it is gone, opening is tried twice a second: that costs its host nothing, as
nobody runs lspci for it.

What is found is a hint to check, never a verdict. A firewall that drops in silence gives no hint,
and a side that closes at once or speaks unasked is opened ever more seldom: then polling is left.
"""

import asyncio
import contextlib

from dstack_backend.adapters.httpx_dstack.address import DStackAddress

__all__ = ["ConnectionWatcher"]

GONE = (ConnectionRefusedError, ConnectionResetError, FileNotFoundError)
"""What opening a connection meets where nobody listens."""

RETRY_WHILE_GONE = 0.5
"""Seconds between two tries: a return is to be seen within 2 s."""

STEADY = 1.0
"""Seconds from which on a connection that was closed counts as one that was held."""

SECOND_LOOK = 0.05
"""Seconds to the next try where a steady connection is followed by one that is closed at once.

A process that dies closes one descriptor after the other: the held connection may be gone while the
listener still lets us in.
"""

LONGEST_PAUSE = 10.0


class ConnectionWatcher:
    """Watches one DStack through a connection that nothing is sent on."""

    def __init__(self, address: DStackAddress, *, timeout: float = 5.0) -> None:
        """Keep what is needed; nothing is opened yet.

        Args:
            address: Where DStack listens.
            timeout: Seconds that opening may take.
        """
        self._address = address
        self._timeout = timeout
        self._gone = False
        self._pause = 0.0

    async def wait_for_change(self) -> None:
        """Wait until DStack seems to have gone or come back. Cancelled, it leaves nothing open."""
        while True:
            await asyncio.sleep(self._pause)
            try:
                async with asyncio.timeout(self._timeout):
                    reader, writer = await self._open()
            except GONE:
                self._pause = RETRY_WHILE_GONE
                if not self._gone:
                    self._gone = True
                    return
            except (OSError, TimeoutError, UnicodeError):
                self._pause = self._longer_pause()
            else:
                try:
                    if self._gone:
                        self._gone, self._pause = False, 0.0
                        return
                    self._pause = await self._hold(reader)
                finally:
                    writer.transport.abort()

    async def _open(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if self._address.socket:
            return await asyncio.open_unix_connection(self._address.socket)
        return await asyncio.open_connection(self._address.host, self._address.port)

    async def _hold(self, reader: asyncio.StreamReader) -> float:
        """Wait until the other side closes, and give the pause before the next opening."""
        clock = asyncio.get_running_loop().time
        opened = clock()
        with contextlib.suppress(OSError):
            await reader.read(1)
        return 0.0 if clock() - opened >= STEADY else self._longer_pause()

    def _longer_pause(self) -> float:
        if not self._pause:
            return SECOND_LOOK
        return min(max(STEADY, 2 * self._pause), LONGEST_PAUSE)
