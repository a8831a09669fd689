"""What a DStack that hangs is left with: requests whose client has gone, each with its lspci.

DStack learns only at the end of a request that its client has gone. So each check that times out
leaves one more behind, as long as lspci hangs.
"""

import asyncio
import time
from collections.abc import Callable

from dstack_backend.testing.simulated_dstack import Remote, Request
from tests.contract.process.service import Service, wait_until

INTERVAL, TIMEOUT = 1.0, 0.5
WATCHED = 5.5


class HangingLspci:
    """Each request starts a program that runs on when the client has gone.

    Attributes:
        running: How many run now.
    """

    def __init__(self) -> None:
        self.running = 0
        self._programs: set[asyncio.Future[None]] = set()

    async def answer(self, _: Request, __: asyncio.StreamWriter) -> None:
        """Wait for the program of this request. The wait is cancelled, the program is not."""
        program = asyncio.ensure_future(self._run())
        self._programs.add(program)
        await asyncio.shield(program)

    async def _run(self) -> None:
        self.running += 1
        await asyncio.sleep(WATCHED + 1)
        self.running -= 1


def test_hanging_dstack_is_left_with_few_requests(
    dstack: Remote, serve: Callable[..., Service], note: Callable[[str], None]
) -> None:
    """Checks start 1.5 s, then 2.5 s apart, and not each second; a return is seen nevertheless."""
    lspci = HangingLspci()
    dstack.dstack.behaviour = lspci.answer
    service = serve(DSTACK_URL=dstack.url, CHECK_INTERVAL=str(INTERVAL), CHECK_TIMEOUT=str(TIMEOUT))
    wait_until(lambda: lspci.running)
    time.sleep(WATCHED)
    note(f"{lspci.running} requests open at once after {WATCHED:g} s")
    assert lspci.running <= 3, "at 0 s, 1.5 s and 4 s"
    assert service.status()["reason"] == "timed_out", "not stale"
    dstack.dstack.behaviour = None
    service.wait_for(None, seconds=2 * INTERVAL + TIMEOUT + 0.5)
