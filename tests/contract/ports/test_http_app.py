"""The HTTP face against its own OpenAPI: schemathesis on the running service, and the examples."""

import contextlib
import http.client
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from dstack_backend.testing.contracts import check_answer
from dstack_backend.testing.faults import FAULTS
from dstack_backend.testing.simulated_dstack import SimulatedDStack, in_thread
from tests.contract.process.service import Answer, Service

OPENAPI = "/schema/openapi.json"
STATES = {"available": None, "starting": "starting", "unavailable": "timed_out"}

# A 503 of these two is an answer that OpenAPI and the worker's contract know; everywhere else a
# 5xx is a fault of ours. The check is left out for them only.
SPEAKS_503 = "^/(health|readyz)$"

# A stream does not end: tests/contract/test_events.py.
ENDLESS = "^/events$"


@pytest.fixture(scope="module", params=STATES)
def face(request: pytest.FixtureRequest, serve_module: Callable[..., Service]) -> Iterator[Service]:
    """A running service in each state."""
    reason = STATES[request.param]
    with in_thread(SimulatedDStack()) as dstack:
        if reason:
            dstack.dstack.behaviour = FAULTS["hang-before-headers"].behaviour
        timeout = "0.3" if reason == "timed_out" else "60"
        service = serve_module(DSTACK_URL=dstack.url, CHECK_TIMEOUT=timeout)
        service.wait_for(reason)
        yield service
        service.kill()


@pytest.mark.parametrize(
    "selection",
    [
        ["--exclude-path-regex", f"{SPEAKS_503}|{ENDLESS}"],
        ["--include-path-regex", SPEAKS_503, "--exclude-checks", "not_a_server_error"],
    ],
    ids=["every-path", "the-two-that-speak-503"],
)
def test_every_answer_is_as_openapi_says(
    face: Service, selection: list[str], tmp_path: Path
) -> None:
    """Schemathesis asks every path, in every way it knows, and compares with our own OpenAPI."""
    done = subprocess.run(
        [
            str(Path(sys.executable).parent / "schemathesis"),
            *("run", face.url(OPENAPI), "--checks", "all", "--max-examples", "20"),
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


JSON_PATHS = ("/", "/health", "/history", "/livez", "/readyz", "/status", "/uptime")


def _look_at(face: Service, path: str) -> Answer:
    """Ask for the head of an answer; its body may never end."""
    connection = http.client.HTTPConnection(face.host, face.port, timeout=10)
    with contextlib.closing(connection):
        connection.request("GET", path)
        response = connection.getresponse()
        return Answer(response.status, response.headers, b"")


def test_openapi_names_every_page_and_every_page_is_as_documented(face: Service) -> None:
    """Each real answer fits its schema, and has exactly the fields that its examples show."""
    openapi = face.ask(OPENAPI).json()
    assert sorted(openapi["paths"]) == sorted((*JSON_PATHS, "/events", "/metrics"))
    for path in JSON_PATHS:
        answer = face.ask(path)
        documented = _documented(openapi, path, answer)
        _validate(openapi, documented["schema"], answer.json())
        for example in documented["examples"].values():
            assert list(example["value"]) == list(answer.json())


def test_the_examples_are_true(face: Service) -> None:
    """Each example fits its own schema; those of `/health` hold all that real answers hold."""
    openapi = face.ask(OPENAPI).json()
    for path in JSON_PATHS:
        for code, response in openapi["paths"][path]["get"]["responses"].items():
            if code == "400":
                continue  # Litestar's own, for a parameter that is none
            content = response["content"]["application/json"]
            values = [example["value"] for example in content["examples"].values()]
            assert values, f"{path} {code} has an example"
            for value in values:
                _validate(openapi, content["schema"], value)
                if path == "/health":
                    check_answer(int(code), json.dumps(value).encode())


def test_metrics_are_prometheus_text(face: Service) -> None:
    """The page is what a Prometheus reads, and says whether the node is up."""
    answer = face.ask("/metrics")
    assert answer.code == 200
    assert answer.headers["Content-Type"].startswith("text/plain; version=0.0.4")
    up = 1.0 if face.ask("/health").code == 200 else 0.0
    assert f"dstack_backend_up {up}" in answer.body.decode().splitlines()


@pytest.mark.parametrize("path", [*JSON_PATHS, "/events", "/metrics", OPENAPI])
def test_head_answers_as_get_everywhere(face: Service, path: str) -> None:
    """HEAD gives the code and the type of GET, and no body; that of a stream ends at once."""
    head, get = face.ask(path, "HEAD"), _look_at(face, path)
    assert (head.code, head.headers["Content-Type"]) == (get.code, get.headers["Content-Type"])
    assert head.body == b""


def test_the_links_of_the_first_page_lead_somewhere(face: Service) -> None:
    """Each page that `/` links to is there."""
    links = face.ask("/").json()["links"]
    assert len(links) == 9
    assert {_look_at(face, path).code for path in links.values()} <= {200, 503}


@pytest.mark.parametrize(
    "path", ["/nothing", "/health/", "/health/x", "/..%2f", "/%00", "//health"]
)
def test_an_unknown_path_is_not_found_and_repeats_nothing(face: Service, path: str) -> None:
    """A foreign path is no page, or the page that it plainly means; it is never shown again."""
    answer = face.ask(path)
    assert answer.code in (200, 404, 503)
    assert b"nothing" not in answer.body
