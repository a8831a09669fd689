"""Asks `/health` every 20 ms, in a process of its own, and tells how long the answers took.

A process of its own, so that what is measured is the service and not the tests' own threads. Run as
a program it polls until its input ends, and prints what it saw for each line that it reads.
"""

import http.client
import json
import select
import subprocess
import sys
import time
from typing import IO, Any, cast

__all__ = ["Poller", "Seen"]

PAUSE = 0.02
LONGEST_ANSWER = 30.0


class Seen:
    """What a poller saw in a stretch of time.

    Attributes:
        asked: How many requests were sent.
        worst: The longest that an answer took, in seconds.
        codes: How often each status came, as text; an exception's name where no answer came.
    """

    def __init__(self, asked: int = 0, worst: float = 0.0, **codes: int) -> None:
        """Begin with nothing, or with what another process has seen."""
        self.asked = asked
        self.worst = worst
        self.codes = codes

    def note(self, outcome: str, seconds: float) -> None:
        """Add one request."""
        self.asked += 1
        self.worst = max(self.worst, seconds)
        self.codes[outcome] = self.codes.get(outcome, 0) + 1

    def assert_prompt(self, within: float) -> None:
        """Fail where a request got no answer, or got it later than so many seconds."""
        assert self.asked, "nobody asked"
        assert self.codes.keys() <= {"200", "503"}, self.codes
        assert self.worst < within, f"an answer took {self.worst * 1000:.0f} ms"


class Poller:
    """A polling process."""

    def __init__(self, host: str, port: int) -> None:
        """Start it."""
        self._process = subprocess.Popen(
            [sys.executable, __file__, host, str(port)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            bufsize=1,
        )
        self.seen()

    def seen(self) -> Seen:
        """Give what it saw since it was last asked."""
        print(file=cast("IO[str]", self._process.stdin), flush=True)
        told: dict[str, Any] = json.loads(cast("IO[str]", self._process.stdout).readline())
        return Seen(told.pop("asked"), told.pop("worst"), **told)

    def close(self) -> None:
        """End it."""
        with self._process:
            self._process.kill()


def _ask(host: str, port: int) -> str:
    connection = http.client.HTTPConnection(host, port, timeout=LONGEST_ANSWER)
    try:
        connection.request("GET", "/health")
        response = connection.getresponse()
        response.read()
    except (OSError, http.client.HTTPException) as exc:
        return type(exc).__name__
    else:
        return str(response.status)
    finally:
        connection.close()


def _poll(host: str, port: int) -> None:
    seen = Seen()
    while True:
        if select.select([sys.stdin], [], [], PAUSE)[0]:
            if not sys.stdin.readline():
                return
            told = {"asked": seen.asked, "worst": seen.worst, **seen.codes}
            sys.stdout.write(json.dumps(told) + "\n")
            sys.stdout.flush()
            seen = Seen()
        started = time.monotonic()
        outcome = _ask(host, port)
        seen.note(outcome, time.monotonic() - started)


if __name__ == "__main__":
    _poll(sys.argv[1], int(sys.argv[2]))
