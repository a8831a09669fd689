"""A program for namespaces of its own: the service while name resolution or IPv6 does not work.

It has a network of its own, so that it can listen on port 53 without privileges, and mounts of its
own, so that resolv.conf and hosts can be replaced. It prints what it saw as JSON.
"""

import asyncio
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

from dstack_backend.testing.simulated_dstack import (
    Request,
    SimulatedDStack,
    http_answer,
    in_thread,
)
from tests.contract.process.certificates import server_context
from tests.contract.process.service import Service, free_port, run_command, wait_until
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
LINK = "dstack0"
LINK_LOCAL = "fe80::19"
DISABLED_IPV6 = {**LOOKUP, "/etc/hosts": "::1 localhost\n127.0.0.1 localhost\n"}
NO_IPV6 = Path("/proc/sys/net/ipv6/conf/all/disable_ipv6")
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


def _disabled_ipv6(folder: Path) -> dict[str, object]:
    """As on a host without IPv6 whose `/etc/hosts` is that of a distribution."""
    NO_IPV6.write_text("1")
    return _unusable_ipv6(folder, "localhost")


def _unusable_ipv6(folder: Path, name: str = NAME) -> dict[str, object]:
    """Let a DStack crash and return whose name has an IPv6 address that cannot be used."""
    found = {str(each[4][0]) for each in socket.getaddrinfo(name, 1)}
    with in_thread(SimulatedDStack()) as dstack:
        url = dstack.url.replace("127.0.0.1", name)
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


def _link_local(_: Path) -> dict[str, object]:
    """Ask a DStack on a link-local address, with each form of its zone."""
    for words in (
        f"link add {LINK} type veth peer name peer0",
        "link set peer0 up",
        f"address add {LINK_LOCAL}/64 dev {LINK} nodad",
        f"link set {LINK} up",
    ):
        command = ["ip", *words.split()]
        subprocess.run(command, check=True)
    return asyncio.run(_ask_link_local())


async def _ask_link_local() -> dict[str, object]:
    dstack, hosts = SimulatedDStack(), set[str]()

    async def answer(request: Request, writer: asyncio.StreamWriter) -> None:
        hosts.add(request.headers["host"])
        writer.write(http_answer(200, b'{"gpus": []}'))
        await writer.drain()

    dstack.behaviour = answer
    port = (await dstack.listen_tcp(f"{LINK_LOCAL}%{LINK}")).rpartition(":")[2]
    seen: dict[str, object] = {}
    for sign in ("%", "%25"):
        env = {"DSTACK_URL": f"http://[{LINK_LOCAL}{sign}{LINK}]:{port}"}
        check = await asyncio.to_thread(run_command, "check", **env)
        env["LISTEN_ADDR"] = f"127.0.0.1:{free_port()}"
        doctor = await asyncio.to_thread(run_command, "doctor", "--json", **env)
        steps = {each["step"]: each for each in json.loads(doctor.stdout)["steps"]}
        seen[sign] = [check.returncode, *(steps[name] for name in ("name", "connection", "http"))]
    await dstack.crash()
    return {"seen": seen, "hosts": [each.removesuffix(f":{port}") for each in hosts]}


SCENARIOS: dict[str, tuple[Mapping[str, str], Callable[[Path], dict[str, object]]]] = {
    "silent-name-server": (SILENT_SERVER, _silent_name_server),
    "unusable-ipv6": (UNUSABLE_IPV6, _unusable_ipv6),
    "final-dot": (FINAL_DOT, _final_dot),
    "disabled-ipv6": (DISABLED_IPV6, _disabled_ipv6),
    "link-local": ({}, _link_local),
}


if __name__ == "__main__":
    files, scenario = SCENARIOS[sys.argv[1]]
    prepare_namespaces(files)
    with tempfile.TemporaryDirectory() as name:
        sys.stdout.write(json.dumps(scenario(Path(name))))
