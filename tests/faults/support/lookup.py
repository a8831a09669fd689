"""A program for namespaces of its own: the service while name resolution or IPv6 does not work.

It has a network of its own, so that it can listen on port 53 without privileges, and mounts of its
own, so that resolv.conf and hosts can be replaced. It prints what it saw as JSON.
"""

import json
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from contextlib import closing
from pathlib import Path

import trustme

from dstack_backend.testing.simulated_dstack import SimulatedDStack, in_thread
from tests.contract.process.certificates import server_context
from tests.contract.process.service import Service, run_command, wait_until
from tests.faults.support.crashes import INTERVAL, crash_and_return
from tests.faults.support.namespaces import prepare_namespaces
from tests.faults.support.polling import Poller

SERVER = "127.0.0.53"
NAME = "dstack.example"
LOOKUP = {"/etc/nsswitch.conf": "hosts: files dns\n"}
SILENT_SERVER = {
    **LOOKUP,
    "/etc/resolv.conf": f"nameserver {SERVER}\noptions timeout:20 attempts:2\n",
}
UNUSABLE_IPV6 = {
    **LOOKUP,
    "/etc/hosts": f"127.0.0.1 localhost\n2001:db8::1 {NAME}\n127.0.0.1 {NAME}\n",
}
FINAL_DOT = {**LOOKUP, "/etc/hosts": f"127.0.0.1 localhost {NAME}.\n"}
WATCHED = 6.0


def _silent_name_server(folder: Path) -> dict[str, object]:
    with closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as silent:
        silent.bind((SERVER, 53))
        start = _stop_at_the_start(silent)
        seen = _watch(folder)
        silent.settimeout(0)
        return seen | {"asked": len(silent.recv(512)) > 0, "start": start}


def _watch(folder: Path) -> dict[str, object]:
    service = Service(
        folder / "log", DSTACK_URL=f"http://{NAME}:1", CHECK_INTERVAL="1", CHECK_TIMEOUT="1"
    )
    poller = Poller(service.host, service.port)
    wait_until(lambda: service.status()["reason"] not in (None, "starting"))
    time.sleep(WATCHED)
    status, seen = service.status(), poller.seen()
    code, seconds = service.end(signal.SIGTERM)
    poller.close()
    return {
        "reason": status["reason"],
        "message": status["message"],
        "codes": seen.codes,
        "worst": seen.worst,
        "exit": code,
        "seconds": seconds,
        "log": service.log,
    }


def _stop_at_the_start(silent: socket.socket) -> dict[str, object]:
    """Start the service with a name to listen on, and end it while the name is resolved."""
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


def _unusable_ipv6(folder: Path) -> dict[str, object]:
    """Let a DStack crash and return whose name has an IPv6 address without a route."""
    found = {str(each[4][0]) for each in socket.getaddrinfo(NAME, 1)}
    with in_thread(SimulatedDStack()) as dstack:
        url = dstack.url.replace("127.0.0.1", NAME)
        service = Service(folder / "log", DSTACK_URL=url, CHECK_INTERVAL=str(INTERVAL))
        service.wait_for(None)
        gone, back = crash_and_return(service, dstack.crash, dstack.revive, phase=0.3)
        service.end()
    return {"addresses": sorted(found), "gone": gone, "back": back}


def _final_dot(folder: Path) -> dict[str, object]:
    """Ask a DStack by a name with a final dot, which its certificate does not have."""
    authority, ca_file = trustme.CA(), folder / "ca.pem"
    authority.cert_pem.write_to_path(ca_file)
    with in_thread(SimulatedDStack(), tls=server_context(authority.issue_cert(NAME))) as dstack:
        url = dstack.url.replace("127.0.0.1", f"{NAME}.")
        env = {"DSTACK_URL": url, "DSTACK_CA_FILE": str(ca_file)}
        check, doctor = run_command("check", **env), run_command("doctor", **env)
    return {"check": check.returncode, "output": check.stdout, "doctor": doctor.stdout}


SCENARIOS: dict[str, tuple[Mapping[str, str], Callable[[Path], dict[str, object]]]] = {
    "silent-name-server": (SILENT_SERVER, _silent_name_server),
    "unusable-ipv6": (UNUSABLE_IPV6, _unusable_ipv6),
    "final-dot": (FINAL_DOT, _final_dot),
}


if __name__ == "__main__":
    files, scenario = SCENARIOS[sys.argv[1]]
    prepare_namespaces(files)
    with tempfile.TemporaryDirectory() as name:
        sys.stdout.write(json.dumps(scenario(Path(name))))
