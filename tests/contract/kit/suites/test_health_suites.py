"""The suites for a running `/health` find each breach, and pass every valid backend."""

import json
import ssl
from collections.abc import Callable, Mapping

import pytest
import trustme
from msgspec.structs import replace

from dstack_backend.domain import CheckFailure, NodeIdentity, Reason, assess, encode_health
from dstack_backend.testing.contracts import GpuHealthContract, HealthContract
from tests.contract.kit.suites.health_server import HEADERS, Reply, answering
from tests.contract.kit.suites.sources import GOOD
from tests.contract.process.certificates import server_context

TESTS = [name for name in vars(HealthContract) if name.startswith("test_")]
BACKEND_INFO = "test_body_is_a_backend_info"
NOT_CACHED = "test_answer_is_json_and_not_cached"
CORS = "test_cors_allows_any_origin"
HEAD = "test_head_answers_as_get_without_a_body"

AVAILABLE = Reply(200, encode_health(assess(GOOD)).body)
UNAVAILABLE = Reply(503, encode_health(assess(CheckFailure(Reason.TIMED_OUT))).body)


class General(HealthContract):
    """The general suite over an address."""

    def __init__(self, url: str, tls: ssl.SSLContext | None = None) -> None:
        self._url = url
        self.tls = tls

    def url(self) -> str:
        """Return it."""
        return self._url


class Exact(General, GpuHealthContract):
    """The GPU suite over an address."""


def _run_all(suite: HealthContract) -> None:
    for name in TESTS:
        getattr(suite, name)()


def _info(reply: Reply = AVAILABLE, **changes: object) -> Reply:
    return replace(reply, body=json.dumps(json.loads(reply.body) | changes).encode())


def _metadata(**changes: object) -> Reply:
    metadata = json.loads(json.loads(AVAILABLE.body)["metadata"])
    return _info(metadata=json.dumps(metadata | changes))


def _headers(**changes: str) -> Reply:
    return replace(
        AVAILABLE,
        headers={**HEADERS} | {name.replace("_", "-"): value for name, value in changes.items()},
    )


_GPU = {"slot": "3b:00.0", "product_id": "10de:2335", "description": "", "is_free": True}

OTHER_BACKENDS = {
    "more-metadata": _metadata(driver="550.54.15"),
    "more-of-a-gpu": _metadata(gpus=[_GPU | {"model": None, "memory": "141 GB"}]),
    "without-model": _info(
        metadata=json.dumps({"gpu_count": 1, "gpus": [_GPU], "allow_attach_all": True})
    ),
    "another-topic": _info(topic="disk-monitor", metadata='{"disks":[{"free":1e12}]}'),
    "another-kind": _info(UNAVAILABLE, metadata="Driver error: version 550.54.15.01 is too old"),
}
"""Valid answers of other backends."""


@pytest.mark.parametrize("reply", [AVAILABLE, UNAVAILABLE], ids=["available", "unavailable"])
def test_own_answers_pass_both_suites(reply: Reply) -> None:
    """The GPU suite includes the general one."""
    with answering(reply) as url:
        _run_all(General(url))
        _run_all(Exact(url))


@pytest.mark.parametrize("name", OTHER_BACKENDS)
def test_other_backend_passes_only_the_general_suite(name: str) -> None:
    """It has metadata and kinds of failure of its own."""
    with answering(OTHER_BACKENDS[name]) as url:
        _run_all(General(url))
        with pytest.raises(Exception, match=r"the fields are|is a required|the kind of"):
            getattr(Exact(url), BACKEND_INFO)()


@pytest.mark.parametrize(
    "reply",
    [
        _headers(Cache_Control="No-Store, max-age=0"),
        _headers(Content_Type="application/json; charset=utf-8"),
        _headers(Access_Control_Allow_Origin="https://example.com"),
        _info(ip_address="2001:db8::1", pubkeys=["npub1"]),
        replace(AVAILABLE, body=encode_health(assess(GOOD), NodeIdentity(topic="mine")).body),
    ],
)
def test_optional_parts_pass(reply: Reply) -> None:
    """More directives, a charset, a single origin, optional fields, another topic."""
    with answering(reply) as url:
        _run_all(Exact(url))


BREACHES: list[tuple[Reply, str, str]] = [
    (replace(AVAILABLE, code=503), BACKEND_INFO, "the code is 503, but the status is available"),
    (
        replace(UNAVAILABLE, code=200),
        BACKEND_INFO,
        "the code is 200, but the status is unavailable",
    ),
    (_info(version="2.0.0"), BACKEND_INFO, "'2.0.0' is not one of"),
    (_info(status="up"), BACKEND_INFO, "'up' is not one of"),
    (_info(more=1), BACKEND_INFO, r"the fields are \['version'.*'more'\]; expected"),
    (_info(ip_address="here"), BACKEND_INFO, "'here' does not appear to be an IPv4 or IPv6"),
    (_info(metadata={}), BACKEND_INFO, "is not of type 'string'"),
    (_info(metadata="fine"), BACKEND_INFO, "metadata is not JSON: 'fine'"),
    (_info(metadata="[]"), BACKEND_INFO, r"metadata is not a JSON object: '\[\]'"),
    (_info(UNAVAILABLE, metadata="down"), BACKEND_INFO, "<detail>`: 'down'"),
    (_info(UNAVAILABLE, metadata="It: /etc/x"), BACKEND_INFO, "contains a path, '/etc/x': "),
    (replace(AVAILABLE, body=b"ok"), BACKEND_INFO, "the body is not JSON: b'ok'"),
    (_headers(Content_Type="text/plain"), NOT_CACHED, "Content-Type is text/plain"),
    (_headers(Cache_Control="max-age=5"), NOT_CACHED, r"is \['max-age=5'\]; expected no-store"),
    (_headers(Access_Control_Allow_Origin="null"), CORS, "Allow-Origin is null for"),
    (replace(AVAILABLE, after_head=b'{"ver'), HEAD, "HEAD sends a body: b'{\"ver'"),
]


@pytest.mark.parametrize(("reply", "test", "message"), BREACHES)
def test_breach_fails_its_test_with_a_clear_message(reply: Reply, test: str, message: str) -> None:
    """The message says what the service answered."""
    with answering(reply) as url, pytest.raises(Exception, match=message):
        getattr(General(url), test)()


def test_hooks_check_metadata_and_message() -> None:
    """A subclass can assert more of both."""

    class DiskBackend(General):
        def check_metadata(self, metadata: Mapping[str, object]) -> None:
            assert "disks" in metadata, "there are no disks"

        def check_failure(self, message: str) -> None:
            assert message.startswith("Disk error: "), "it is no disk error"

    with answering(AVAILABLE) as url, pytest.raises(AssertionError, match="there are no disks"):
        getattr(DiskBackend(url), BACKEND_INFO)()
    with answering(UNAVAILABLE) as url, pytest.raises(AssertionError, match="it is no disk error"):
        getattr(DiskBackend(url), BACKEND_INFO)()


def _replies_with(*codes: int) -> Callable[[str], Reply]:
    """Answer with these codes, then always with the last one."""
    replies = {200: AVAILABLE, 503: UNAVAILABLE}
    left = list(codes)
    return lambda _: replies[left.pop(0) if len(left) > 1 else left[0]]


def test_status_change_between_head_and_get_passes() -> None:
    """Both requests are sent once more."""
    with answering(_replies_with(200, 503)) as url:
        getattr(General(url), HEAD)()


def test_different_answer_to_head_is_found() -> None:
    """The code of HEAD always differs."""

    def reply(method: str) -> Reply:
        return replace(AVAILABLE, code=405 if method == "HEAD" else 200)

    with answering(reply) as url, pytest.raises(AssertionError, match=r"HEAD answers \(405"):
        getattr(General(url), HEAD)()


def test_suite_uses_tls(authority: trustme.CA) -> None:
    """`tls` of the suite names the trusted certificates."""
    trusted = ssl.create_default_context(cadata=authority.cert_pem.bytes().decode())
    server = server_context(authority.issue_cert("127.0.0.1"))
    with answering(AVAILABLE, server) as url:
        _run_all(Exact(url, trusted))
        with pytest.raises(AssertionError, match=r"no answer: .*CERTIFICATE_VERIFY_FAILED"):
            getattr(General(url), BACKEND_INFO)()


def test_body_of_head_is_found_over_tls(authority: trustme.CA) -> None:
    """HEAD is read to its end over TLS, too."""
    trusted = ssl.create_default_context(cadata=authority.cert_pem.bytes().decode())
    server = server_context(authority.issue_cert("127.0.0.1"))
    reply = replace(AVAILABLE, after_head=b"{")
    with answering(reply, server) as url, pytest.raises(AssertionError, match="HEAD sends a body"):
        getattr(General(url, trusted), HEAD)()


def test_plain_http_at_an_https_address_is_found() -> None:
    """The suite does not fall back to HTTP."""
    with answering(AVAILABLE) as url, pytest.raises(AssertionError, match=r"no answer: .*SSL"):
        getattr(General(url.replace("http://", "https://")), BACKEND_INFO)()


def test_unreachable_service_is_found() -> None:
    """The message names the request."""
    with pytest.raises(AssertionError, match=r"GET http://127\.0\.0\.1:1/health: no answer"):
        getattr(General("http://127.0.0.1:1/health"), BACKEND_INFO)()


@pytest.mark.parametrize(
    "url", ["ftp://host/health", "127.0.0.1:8080/health", "http:///health", "http://host:x", ""]
)
def test_invalid_address_is_refused(url: str) -> None:
    """Another scheme, no scheme, no host, an invalid port."""
    with pytest.raises(AssertionError) as failed:
        getattr(General(url), BACKEND_INFO)()
    expected = f"url() must return http://host/... or https://host/..., not {url!r}"
    assert expected in str(failed.value)
