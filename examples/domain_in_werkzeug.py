"""The domain alone, in a service of werkzeug: a thread checks, no event loop, no Litestar, no httpx.

    python -m examples.domain_in_werkzeug gpus.json 8080

Something else writes the file every few seconds, as `{"gpus": [{"slot": ...}]}`. A file that is
older than a minute is no evidence of anything.
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
from dstack_backend.domain import CheckFailure, CheckResult, Moment, Reason

POLICY = domain.Policy(interval=5.0)
IDENTITY = domain.Identity(topic="file-gpu-monitor")
HEADERS = {"Cache-Control": "no-store", "Access-Control-Allow-Origin": "*"}
OLDEST = 60.0


class FileBackend:
    """Checks a file, and answers on `/health` as dephy-worker asks it to."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._state = domain.MonitorState(since=_now())

    def keep_checking(self) -> None:
        while True:
            started = time.monotonic()
            check = domain.Check(result=self._read(), started=started, finished=_now())
            self._state = domain.observe(self._state, check, POLICY)
            time.sleep(max(0.0, domain.next_check_at(self._state, POLICY) - time.monotonic()))

    def _read(self) -> CheckResult:
        try:
            if time.time() - self._file.stat().st_mtime > OLDEST:
                return CheckFailure(Reason.TIMED_OUT, f"the file is older than {OLDEST:g} s")
            return msgspec.json.decode(self._file.read_bytes(), type=domain.GpuInventory)
        except OSError:
            return CheckFailure(Reason.CONNECTION_FAILED, "the file cannot be read")
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            return CheckFailure(Reason.INVALID_RESPONSE, "the file is not as expected")

    @Request.application
    def __call__(self, request: Request) -> Response:
        if request.path != "/health":
            return Response(status=404)
        status = domain.status_at(self._state, time.monotonic(), POLICY)
        answer = domain.answer_with(status, IDENTITY)
        code = 200 if answer.available else 503
        return Response(answer.body, code, HEADERS, mimetype="application/json")


def _now() -> Moment:
    return Moment(time.monotonic(), datetime.now(UTC))


if __name__ == "__main__":
    backend = FileBackend(Path(sys.argv[1]))
    threading.Thread(target=backend.keep_checking, daemon=True).start()
    run_simple("127.0.0.1", int(sys.argv[2]), backend, threaded=True)
