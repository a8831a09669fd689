"""A program, run in namespaces of its own: the service while no name server answers.

It has a network of its own, so that port 53 is free to take without anybody's rights, and mounts of
its own, so that resolv.conf can name a server that never answers. It prints what it saw as JSON.
"""

import json
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.contract.process.service import Service, wait_until
from tests.faults.polling import Poller

SERVER = "127.0.0.53"
FILES = {
    "/etc/resolv.conf": f"nameserver {SERVER}\noptions timeout:20 attempts:2\n",
    "/etc/nsswitch.conf": "hosts: files dns\n",
}
WATCHED = 6.0


def _prepare(folder: Path) -> socket.socket:
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)  # noqa: S607 - as installed
    for number, (path, content) in enumerate(FILES.items()):
        file = folder / str(number)
        file.write_text(content)
        subprocess.run(["mount", "--bind", str(file), path], check=True)  # noqa: S607 - as installed
    silent = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    silent.bind((SERVER, 53))
    return silent


def _watch(folder: Path) -> dict[str, object]:
    service = Service(
        folder / "log", DSTACK_URL="http://dstack.example:1", CHECK_INTERVAL="1", CHECK_TIMEOUT="1"
    )
    poller = Poller(service.host, service.port)
    wait_until(lambda: service.status()["reason"] not in (None, "starting"))
    time.sleep(WATCHED)
    status, seen = service.status(), poller.seen()
    code, seconds = service.end(signal.SIGTERM)
    poller.close()
    return {
        "reason": status["reason"],
        "detail": status["detail"],
        "codes": seen.codes,
        "worst": seen.worst,
        "exit": code,
        "seconds": seconds,
        "log": service.log,
    }


def _stop_at_the_start(silent: socket.socket) -> dict[str, object]:
    """Start it with a name to listen on, and end it while that is looked up."""
    command = [sys.executable, "-m", "dstack_backend", "serve", "--listen-addr", "node.example:80"]
    silent.settimeout(20)
    with subprocess.Popen(command) as process:
        asked = len(silent.recv(512)) > 0
        started = time.monotonic()
        process.terminate()
        try:
            code = process.wait(timeout=10)
        finally:
            process.kill()
    return {"asked": asked, "exit": code, "seconds": time.monotonic() - started}


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as name, _prepare(Path(name)) as silent:
        start = _stop_at_the_start(silent)
        seen = _watch(Path(name))
        silent.settimeout(0)
        seen |= {"asked": len(silent.recv(512)) > 0, "start": start}
    sys.stdout.write(json.dumps(seen))
