"""Requests `/health` every 20 ms, in a process of its own, and measures the response times.

In the tests' own process their threads would delay it. As a program it polls until its input ends,
and prints the measurements since the last line for each line that it reads.
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
TIMEOUT = 30.0


class Seen:
    """The measurements of a poller.

    Attributes:
        asked: The number of requests.
        worst: The longest response time, in seconds.
        codes: The number of responses by status, as text; by an exception's name where there is
            no response.
    """

    def __init__(self, asked: int = 0, worst: float = 0.0, **codes: int) -> None:
        """Start empty, or with the measurements of another process."""
        self.asked = asked
        self.worst = worst
        self.codes = codes

    def note(self, outcome: str, seconds: float) -> None:
        """Add a request."""
        self.asked += 1
        self.worst = max(self.worst, seconds)
        self.codes[outcome] = self.codes.get(outcome, 0) + 1

    def assert_prompt(self, within: float) -> None:
        """Assert that each request had a response within so many seconds."""
        assert self.asked, "no requests"
        assert self.codes.keys() <= {"200", "503"}, self.codes
        assert self.worst < within, f"a response took {self.worst * 1000:.0f} ms"


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
        """Return the measurements since the last call."""
        print(file=cast("IO[str]", self._process.stdin), flush=True)
        values: dict[str, Any] = json.loads(cast("IO[str]", self._process.stdout).readline())
        return Seen(values.pop("asked"), values.pop("worst"), **values)

    def close(self) -> None:
        """Kill it."""
        with self._process:
            self._process.kill()


def _request(host: str, port: int) -> str:
    connection = http.client.HTTPConnection(host, port, timeout=TIMEOUT)
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
            values = {"asked": seen.asked, "worst": seen.worst, **seen.codes}
            sys.stdout.write(json.dumps(values) + "\n")
            sys.stdout.flush()
            seen = Seen()
        started = time.monotonic()
        outcome = _request(host, port)
        seen.note(outcome, time.monotonic() - started)


if __name__ == "__main__":
    _poll(sys.argv[1], int(sys.argv[2]))
