"""What holds for all paths: headers, HEAD, CORS, errors, the OpenAPI document, prefixes."""

from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urljoin

import pytest
from litestar import Litestar
from litestar.testing import TestClient

from dstack_backend.adapters.litestar_http import HealthApp
from dstack_backend.domain import NodeIdentity
from tests.unit.adapters.litestar_http.harness import BROWSER, AppClient, ParsedPage, exposition

PATHS = [
    *("/", "/health", "/livez", "/readyz", "/status", "/gpus", "/metrics"),
    *("/history", "/uptime", "/events", "/incidents", "/badge.svg"),
]


@pytest.fixture(scope="module")
def app() -> Iterator[AppClient]:
    """One application before its first check. It keeps no state between requests."""
    app = AppClient()
    with app.client:
        yield app


@pytest.mark.parametrize("path", [path for path in PATHS if path != "/badge.svg"])
def test_responses_are_neither_cached_nor_sniffed(app: AppClient, path: str) -> None:
    """A response is true only at the time it is sent."""
    headers = app.get(path).headers
    assert headers["cache-control"] == "no-store"
    assert headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize("path", PATHS)
def test_head_has_status_and_headers_of_get(app: AppClient, path: str) -> None:
    """The server sends no body."""
    head, get = app.client.head(path), app.get(path)
    assert head.status_code == get.status_code
    assert head.headers == get.headers


@pytest.mark.parametrize("path", PATHS)
def test_cors_allows_every_origin(app: AppClient, path: str) -> None:
    """Without credentials, as the service that this one replaces."""
    response = app.get(path, Origin="https://example.org")
    assert response.headers["access-control-allow-origin"] == "*"
    assert "access-control-allow-credentials" not in response.headers


def test_cors_preflight_for_get_is_granted(app: AppClient) -> None:
    """OPTIONS answers 204 and names GET."""
    headers = {"Origin": "https://example.org", "Access-Control-Request-Method": "GET"}
    response = app.client.options("/health", headers=headers)
    assert response.status_code == 204
    assert response.headers["access-control-allow-origin"] == "*"
    assert "GET" in response.headers["access-control-allow-methods"]


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
def test_other_methods_are_not_allowed(app: AppClient, method: str) -> None:
    """405: nothing can be written."""
    assert app.client.request(method, "/health").status_code == 405


@pytest.mark.parametrize("path", ["/nothing", "/health/x", "/%00", "/..%2f..%2fetc/passwd"])
def test_unknown_paths_are_not_found(app: AppClient, path: str) -> None:
    """404 without the path in the body."""
    response = app.get(path)
    assert response.status_code == 404
    assert path not in response.text


@pytest.mark.parametrize(
    ("method", "path", "code"),
    [
        ("GET", "/nowhere", 404),
        ("GET", "/history?limit=0", 400),
        ("GET", "/history?since=x", 400),
        ("POST", "/health", 405),
    ],
)
def test_errors_have_the_headers_of_all_responses(
    app: AppClient, method: str, path: str, code: int
) -> None:
    """No cache keeps them, HEAD gives the same, and `Allow` names HEAD."""
    response = app.client.request(method, path)
    assert response.status_code == code
    assert response.headers["cache-control"] == "no-store"
    assert response.headers["x-content-type-options"] == "nosniff"
    if method == "GET":
        head = app.client.head(path)
        assert head.status_code == code
        assert head.headers["content-length"] == response.headers["content-length"]
    else:
        assert response.headers["allow"] == "GET, HEAD, OPTIONS"


def test_openapi_names_every_path_and_its_statuses(app: AppClient) -> None:
    """With the page beside the JSON of `/`. The history has no 503: it cannot fail."""
    paths = app.get("/schema/openapi.json").json()["paths"]
    assert set(paths) == set(PATHS)
    statuses = {path: set(paths[path]["get"]["responses"]) for path in PATHS}
    for path in ("/health", "/readyz", "/events"):
        assert statuses.pop(path) == {"200", "503"}, path
    assert statuses.pop("/gpus") == {"200", "404", "503"}
    for path in ("/history", "/incidents", "/badge.svg"):
        assert statuses.pop(path) == {"200", "400"}, path
    assert set(map(frozenset, statuses.values())) == {frozenset({"200"})}
    content = paths["/"]["get"]["responses"]["200"]["content"]
    assert set(content) == {"application/json", "text/html"}


@pytest.mark.parametrize(
    ("identity", "expected"),
    [(NodeIdentity(), "GpuInventoryMetadata"), (NodeIdentity(source="sysfs"), "Struct")],
)
def test_openapi_names_gpus_for_dstack_only(identity: NodeIdentity, expected: str) -> None:
    """The inventory of another source may be any JSON object."""
    document: Any = AppClient(identity=identity).get("/schema/openapi.json").json()
    schemas = document["components"]["schemas"]
    content = document["paths"]["/status"]["get"]["responses"]["200"]["content"]
    report = schemas[content["application/json"]["schema"]["$ref"].rpartition("/")[2]]
    assert report["properties"]["inventory"]["oneOf"][0]["$ref"].endswith(f"/{expected}")
    assert schemas[expected]["type"] == "object"
    if expected == "Struct":
        assert not schemas[expected]["properties"]
        assert "additionalProperties" not in schemas[expected]


def test_lifespan_lasts_as_long_as_the_application() -> None:
    """It starts before the first request and ends after the last."""
    events: list[str] = []

    @asynccontextmanager
    async def lifespan(_: Litestar) -> AsyncGenerator[None, None]:
        events.append("start")
        yield
        events.append("end")

    app = AppClient()
    parts = app.health, exposition, lifespan, app.history, app.notifier, app.identity
    with TestClient(HealthApp(*parts)):
        assert events == ["start"]
    assert events == ["start", "end"]


PREFIX = "/nodes/7"


def test_links_work_behind_a_path_prefix() -> None:
    """All links of bodies and of the page are relative to the address of their body."""
    app = AppClient()

    async def proxy(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            assert scope["path"].startswith(f"{PREFIX}/"), scope["path"]
            path = scope["path"].removeprefix(PREFIX)
            scope = {**scope, "path": path, "raw_path": path.encode()}
        await app.app(scope, receive, send)

    with TestClient(proxy, base_url="http://proxy.local") as client:
        index = f"http://proxy.local{PREFIX}/"
        links = list(client.get(index).json()["links"].values())
        for tag, attributes in ParsedPage(client.get(index, headers=BROWSER).text).tags:
            if tag in ("a", "link", "script"):
                links.append(attributes.get("href") or attributes.get("src"))
        assert len(links) > 15
        for link in links:
            assert client.get(urljoin(index, link)).status_code in (200, 503), link
        first = f"{index}history?limit=2"
        second = client.get(urljoin(first, client.get(first).json()["next"])).json()
    assert [each["number"] for each in second["entries"]] == [3, 2]
