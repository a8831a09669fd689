"""What importing the domain costs somebody who embeds it."""

import json
import subprocess
import sys

HEAVY = {
    "anyio",
    "asyncio",
    "dependency_injector",
    "dstack_backend.adapters",
    "dstack_backend.app",
    "granian",
    "http.client",
    "httpcore",
    "httpx",
    "litestar",
    "logging",
    "prometheus_client",
    "socket",
    "ssl",
}


def test_the_domain_loads_nothing_of_the_server() -> None:
    """In a fresh process it brings neither a library but msgspec nor the event loop."""
    script = "import dstack_backend.domain, json, sys; print(json.dumps(sorted(sys.modules)))"
    # Without `site`, whose hooks load modules of their own, the paths must be handed over.
    command = [sys.executable, "-S", "-c", f"import sys; sys.path[:] = {sys.path!r}; {script}"]
    done = subprocess.run(command, capture_output=True, check=True, timeout=30)
    loaded = set(json.loads(done.stdout))
    assert {"dstack_backend.domain", "msgspec"} <= loaded
    assert not loaded & HEAVY
