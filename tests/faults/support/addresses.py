"""A program within namespaces: the service with its default address on hosts of several kinds."""

import errno
import json
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from tests.contract.process.service import Service, run_command
from tests.faults.support.namespaces import prepare_namespaces
from tests.faults.support.seccomp import Denial, deny

PORT = 8080
OTHER = "fd00::7"
"""An address of this host beside loopback."""

NO_IPV6 = Denial("socket", errno.EAFNOSUPPORT, argument=0, values=(socket.AF_INET6,))


def _answers(host: str) -> bool:
    try:
        with socket.create_connection((host, PORT), timeout=5) as client:
            client.sendall(b"GET /livez HTTP/1.1\r\nHost: me\r\n\r\n")
            return client.recv(100).startswith(b"HTTP/1.1 200")
    except OSError:
        return False


def _dual_stack() -> None:
    subprocess.run(["ip", "-6", "addr", "add", f"{OTHER}/128", "dev", "lo"], check=True)  # noqa: S607 - as installed


def _ipv6_only() -> None:
    _dual_stack()
    subprocess.run(["ip", "addr", "del", "127.0.0.1/8", "dev", "lo"], check=True)  # noqa: S607 - as installed


def _ipv6_switched_off() -> None:
    Path("/proc/sys/net/ipv6/conf/all/disable_ipv6").write_text("1")


def _observe(host: str) -> dict[str, object]:
    """Return which addresses of this host answer while the service runs, asked at `host`."""
    with tempfile.TemporaryDirectory() as folder:
        url = f"unix:{folder}/vmm.sock"
        service = Service(
            Path(folder) / "log", host=host, port=PORT, DSTACK_URL=url, LISTEN_ADDR=""
        )
        try:
            answering = [each for each in ("127.0.0.1", "::1", OTHER) if _answers(each)]
            healthcheck = run_command("healthcheck").returncode
            doctor = run_command("doctor", "--json", DSTACK_URL=url).stdout
        finally:
            service.kill()
    steps = {each["step"]: each["verdict"] for each in json.loads(doctor)["steps"]}
    return {"answering": answering, "healthcheck": healthcheck, "listen": steps["listen"]}


SCENARIOS: dict[str, tuple[Callable[[], None], str]] = {
    "dual-stack": (_dual_stack, "127.0.0.1"),
    "ipv6-only": (_ipv6_only, OTHER),
    "ipv6-switched-off": (_ipv6_switched_off, "127.0.0.1"),
    "no-ipv6": (lambda: None, "127.0.0.1"),
}


if __name__ == "__main__":
    prepare, host = SCENARIOS[sys.argv[1]]
    prepare_namespaces({"/etc/hosts": "127.0.0.1 localhost\n::1 localhost\n"})
    prepare()
    denials = [NO_IPV6] if sys.argv[1] == "no-ipv6" else []
    sys.stdout.write(json.dumps(deny(denials, lambda: _observe(host))))
