"""The HTTP API of the running service against its own OpenAPI document."""

import contextlib
import http.client
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import jsonschema
import pytest
from prometheus_client.openmetrics.parser import (
    text_string_to_metric_families as openmetrics_families,  # pyright: ignore[reportUnknownVariableType]
)
from prometheus_client.parser import text_string_to_metric_families

from dstack_backend.domain import Gpu
from dstack_backend.testing.contracts import check_answer
from dstack_backend.testing.faults import FAULTS
from dstack_backend.testing.simulated_dstack import EIGHT_H200, SimulatedDStack, in_thread
from tests.contract.process.service import Answer, Service, wait_until

OPENAPI = "/schema/openapi.json"
STATES = {"degraded": None, "starting": "starting", "unavailable": "timed_out"}

NVSWITCH = Gpu(slot="05:00.0", product_id="10de:22a3", description="NVIDIA", is_free=True)

# The 503 of these is documented. Everywhere else a 5xx is an error of the service, so the check
# is left out for these only.
HAS_503 = "^/(health|readyz|gpus)$"

# A stream does not end: tests/contract/process/http/test_events.py.
ENDLESS = "^/events$"


@pytest.fixture(scope="module", params=STATES)
def service(
    request: pytest.FixtureRequest, serve_module: Callable[..., Service]
) -> Iterator[Service]:
    """Run a service in each state: while available it lists an NVSwitch, and a GPU is missing."""
    reason = STATES[request.param]
    with in_thread(SimulatedDStack((*EIGHT_H200, NVSWITCH))) as dstack:
        if reason:
            dstack.dstack.behaviour = FAULTS["hang-before-headers"].behaviour
        timeout = "0.3" if reason == "timed_out" else "60"
        service = serve_module(DSTACK_URL=dstack.url, CHECK_TIMEOUT=timeout, CHECK_INTERVAL="0.5")
        service.wait_for(reason)
        if not reason:
            dstack.dstack.gpus = (*EIGHT_H200[1:], NVSWITCH)
            wait_until(lambda: service.status()["degraded"])
        yield service
        service.kill()


@pytest.mark.parametrize(
    "selection",
    [
        ["--exclude-path-regex", f"{HAS_503}|{ENDLESS}"],
        ["--include-path-regex", HAS_503, "--exclude-checks", "not_a_server_error"],
    ],
    ids=["every-path", "paths-with-503"],
)
def test_responses_conform_to_openapi(
    service: Service, selection: list[str], tmp_path: Path
) -> None:
    """Schemathesis sends requests of every kind to every path and finds no issue."""
    done = subprocess.run(
        [
            str(Path(sys.executable).parent / "schemathesis"),
            *("run", service.url(OPENAPI), "--checks", "all", "--max-examples", "20"),
            *("--url", service.url("")),  # it takes relative servers for those of the host
            *("--seed", "1", "--generation-database", "none", "--no-color"),
            *selection,
        ],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    assert "No issues found" in done.stdout


def _documented(openapi: Any, path: str, answer: Answer) -> Any:
    kind = answer.headers["Content-Type"].replace("; charset=utf-8", "")
    contents = openapi["paths"][path]["get"]["responses"][str(answer.code)]["content"]
    return next(each for name, each in contents.items() if name.startswith(kind))


def _validate(openapi: Any, schema: Any, value: object) -> None:
    whole = {**schema, "components": openapi["components"]}
    jsonschema.validate(value, whole, cls=jsonschema.Draft202012Validator)


JSON_PATHS = ("/", "/gpus", "/health", "/history", "/livez", "/readyz", "/status", "/uptime")


def _head_of(service: Service, path: str) -> Answer:
    """Return status and headers of a response; its body may never end."""
    connection = http.client.HTTPConnection(service.host, service.port, timeout=10)
    with contextlib.closing(connection):
        connection.request("GET", path)
        response = connection.getresponse()
        return Answer(response.status, response.headers, b"")


def test_openapi_documents_every_path(service: Service) -> None:
    """Each real body is valid for its schema, and has exactly the fields of an example."""
    openapi = service.ask(OPENAPI).json()
    others = ("/badge.svg", "/events", "/incidents", "/metrics")
    assert sorted(openapi["paths"]) == sorted((*JSON_PATHS, *others))
    for path in JSON_PATHS:
        answer = service.ask(path)
        documented = _documented(openapi, path, answer)
        _validate(openapi, documented["schema"], answer.json())
        fields = [list(example["value"]) for example in documented["examples"].values()]
        assert list(answer.json()) in fields


def test_openapi_examples_are_valid(service: Service) -> None:
    """Each for its schema; those of `/health` also for the contract with the worker."""
    openapi = service.ask(OPENAPI).json()
    for path in JSON_PATHS:
        for code, response in openapi["paths"][path]["get"]["responses"].items():
            if code == "400":
                continue  # Litestar's own body for an invalid parameter
            content = response["content"]["application/json"]
            values = [example["value"] for example in content["examples"].values()]
            assert values, f"{path} {code} has an example"
            for value in values:
                _validate(openapi, content["schema"], value)
                if path == "/health":
                    check_answer(int(code), json.dumps(value).encode())


def test_metrics_are_in_the_text_format(service: Service) -> None:
    """With the status of the node."""
    answer = service.ask("/metrics")
    assert answer.code == 200
    assert answer.headers["Content-Type"].startswith("text/plain; version=0.0.4")
    up = 1.0 if service.ask("/health").code == 200 else 0.0
    assert f"dstack_backend_up {up}" in answer.body.decode().splitlines()


def test_metrics_are_openmetrics_where_accept_prefers_it(service: Service) -> None:
    """Valid for the strict parser, with the same names, and without creation times."""
    answer = httpx.get(service.url("/metrics"), headers={"Accept": "application/openmetrics-text"})
    assert answer.headers["Content-Type"].startswith("application/openmetrics-text; version=1.0.0")
    assert answer.text.endswith("\n# EOF\n")
    families = openmetrics_families(answer.text)  # type: ignore[no-untyped-call]
    names = {sample.name for family in families for sample in family.samples}
    text = text_string_to_metric_families(service.ask("/metrics").body.decode())
    assert names == {sample.name for family in text for sample in family.samples}
    assert not [name for name in names if name.endswith("_created")]


@pytest.mark.parametrize("path", [*JSON_PATHS, "/badge.svg", "/events", "/metrics", OPENAPI])
def test_head_has_status_and_type_of_get(service: Service, path: str) -> None:
    """Without a body. HEAD of a stream ends at once."""
    head, get = service.ask(path, "HEAD"), _head_of(service, path)
    assert (head.code, head.headers["Content-Type"]) == (get.code, get.headers["Content-Type"])
    assert head.body == b""


def test_links_of_the_index_exist(service: Service) -> None:
    """They are relative to `/`."""
    links = service.ask("/").json()["links"]
    assert len(links) == 11
    assert {_head_of(service, f"/{path}").code for path in links.values()} <= {200, 503}


@pytest.mark.parametrize(
    "path", ["/nothing", "/health/", "/health/x", "/..%2f", "/%00", "//health"]
)
def test_unknown_paths_are_not_found(service: Service, path: str) -> None:
    """Or answered like the path that they normalize to. They are not repeated in the body."""
    answer = service.ask(path)
    assert answer.code in (200, 404, 503)
    assert b"nothing" not in answer.body
