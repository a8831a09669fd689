"""The domain alone, in another HTTP framework: it needs the base package and werkzeug.

Run it with `gpus.json 8080`, and write `{"gpus": [...]}`, as DStack answers, every few seconds.
"""

import sys
import threading
import time
from datetime import UTC, datetime
from pathlib import Path

import msgspec
from werkzeug import Request, Response
from werkzeug.serving import run_simple

from dstack_backend import domain
from dstack_backend.domain import CheckFailure, CheckResult, GpuInventory, Reason, Timestamp

POLICY, IDENTITY = domain.CheckPolicy(interval=5.0), domain.NodeIdentity(topic="file-gpu-monitor")
HEADERS = {"Cache-Control": "no-store", "Access-Control-Allow-Origin": "*"}


class Backend:
    """Checks the file in a thread. Requests read one frozen value, so there is no lock."""

    def __init__(self, file: Path) -> None:
        self._state = domain.MonitorState(since=Timestamp(time.monotonic(), datetime.now(UTC)))
        threading.Thread(target=self._run, args=(file,), daemon=True).start()

    def health(self) -> Response:
        """Return the answer of `GET /health`."""
        status = domain.status_at(self._state, time.monotonic(), POLICY)
        health, kind = domain.encode_health(status, IDENTITY), "application/json"
        return Response(health.body, 200 if health.is_available else 503, HEADERS, mimetype=kind)

    def _run(self, file: Path) -> None:
        while True:
            started, result = time.monotonic(), _read(file)
            finished = Timestamp(time.monotonic(), datetime.now(UTC))
            check = domain.Check(result=result, started=started, finished=finished)
            self._state = domain.observe(self._state, check, POLICY)
            time.sleep(max(0.0, domain.next_check_at(self._state, POLICY) - time.monotonic()))


def _read(file: Path) -> CheckResult:
    try:
        if time.time() - file.stat().st_mtime > POLICY.stale_after:
            return CheckFailure(Reason.TIMED_OUT, "the file is not written any more")
        return msgspec.json.decode(file.read_bytes(), type=GpuInventory)
    except OSError:
        return CheckFailure(Reason.CONNECTION_FAILED, "the file cannot be read")
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return CheckFailure(Reason.INVALID_RESPONSE, "the file is not as expected")


if __name__ == "__main__":
    at, port, backend = "/health", int(sys.argv[2]), Backend(Path(sys.argv[1]))
    app = Request.application(lambda r: backend.health() if r.path == at else Response(status=404))
    run_simple("127.0.0.1", port, app, threaded=True)
