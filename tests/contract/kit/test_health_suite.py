"""The suites over a running `/health`: what any backend may do passes, what breaks it is found."""

import json
import ssl
from collections.abc import Callable, Mapping

import pytest
import trustme
from msgspec.structs import replace

from dstack_backend.domain import CheckFailure, NodeIdentity, Reason, assess, encode_health
from dstack_backend.testing.contracts import GpuHealthContract, HealthContract
from tests.contract.kit.health_server import HEADERS, Reply, answering
from tests.contract.kit.sources import GOOD
from tests.contract.process.certificates import server_context

TESTS = [name for name in vars(HealthContract) if name.startswith("test_")]
BACKEND_INFO = "test_the_answer_is_a_backend_info"
NOT_KEPT = "test_the_answer_is_json_that_nobody_keeps"
PAGE = "test_a_web_page_may_read_the_answer"
HEAD = "test_head_answers_as_get_without_the_body"

AVAILABLE = Reply(200, encode_health(assess(GOOD)).body)
UNAVAILABLE = Reply(503, encode_health(assess(CheckFailure(Reason.TIMED_OUT))).body)


class General(HealthContract):
    """Over the service at an address."""

    def __init__(self, url: str, tls: ssl.SSLContext | None = None) -> None:
        """Keep the address."""
        self._url = url
        self.tls = tls

    def url(self) -> str:
        """Give it."""
        return self._url


class Exact(General, GpuHealthContract):
    """The same for a service with GPUs."""


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

ANOTHER_S = {
    "more-metadata": _metadata(driver="550.54.15"),
    "more-of-a-gpu": _metadata(gpus=[_GPU | {"model": None, "memory": "141 GB"}]),
    "the-rust-service": _info(
        metadata=json.dumps({"gpu_count": 1, "gpus": [_GPU], "allow_attach_all": True})
    ),
    "another-topic": _info(topic="disk-monitor", metadata='{"disks":[{"free":1e12}]}'),
    "another-kind": _info(UNAVAILABLE, metadata="Driver error: version 550.54.15.01 is too old"),
}
"""Answers of a good backend that is not this one."""


@pytest.mark.parametrize("reply", [AVAILABLE, UNAVAILABLE], ids=["available", "unavailable"])
def test_our_own_answers_pass_both_suites(reply: Reply) -> None:
    """The exact suite holds all that the general one does."""
    with answering(reply) as url:
        _run_all(General(url))
        _run_all(Exact(url))


@pytest.mark.parametrize("name", ANOTHER_S)
def test_another_backend_passes_the_general_suite_only(name: str) -> None:
    """Its metadata and its kinds of failure are its own."""
    with answering(ANOTHER_S[name]) as url:
        _run_all(General(url))
        with pytest.raises(Exception, match=r"in this order|is a required|is the kind of"):
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
def test_what_http_and_backend_info_leave_open_passes(reply: Reply) -> None:
    """More directives, a charset, one origin, the optional field, another topic."""
    with answering(reply) as url:
        _run_all(Exact(url))


BREACHES: list[tuple[Reply, str, str]] = [
    (replace(AVAILABLE, code=503), BACKEND_INFO, "the code is 503 while it is available"),
    (replace(UNAVAILABLE, code=200), BACKEND_INFO, "the code is 200 while it is unavailable"),
    (_info(version="2.0.0"), BACKEND_INFO, "'2.0.0' is not one of"),
    (_info(status="up"), BACKEND_INFO, "'up' is not one of"),
    (_info(more=1), BACKEND_INFO, r"its fields are \['version'.*'more'\], and not"),
    (_info(ip_address="here"), BACKEND_INFO, "'here' does not appear to be an IPv4 or IPv6"),
    (_info(metadata={}), BACKEND_INFO, "is not of type 'string'"),
    (_info(metadata="fine"), BACKEND_INFO, "the metadata is not JSON: 'fine'"),
    (_info(metadata="[]"), BACKEND_INFO, r"the metadata is no JSON object: '\[\]'"),
    (_info(UNAVAILABLE, metadata="down"), BACKEND_INFO, "<what is wrong>`: 'down'"),
    (_info(UNAVAILABLE, metadata="It: /etc/x"), BACKEND_INFO, "a path, '/etc/x', is in"),
    (replace(AVAILABLE, body=b"ok"), BACKEND_INFO, "the body is not JSON: b'ok'"),
    (_headers(Content_Type="text/plain"), NOT_KEPT, "Content-Type is text/plain"),
    (_headers(Cache_Control="max-age=5"), NOT_KEPT, r"is \['max-age=5'\], without no-store"),
    (_headers(Access_Control_Allow_Origin="null"), PAGE, "Allow-Origin is null for"),
    (replace(AVAILABLE, after_head=b'{"ver'), HEAD, "after the headers HEAD sends b'{\"ver'"),
]


@pytest.mark.parametrize(("reply", "test", "message"), BREACHES)
def test_a_service_that_breaks_the_contract_is_found(reply: Reply, test: str, message: str) -> None:
    """Each breach fails the test that is there for it, with a sentence that says what is wrong."""
    with answering(reply) as url, pytest.raises(Exception, match=message):
        getattr(General(url), test)()


def test_metadata_that_break_a_backend_s_own_rule_are_found() -> None:
    """The hooks are asked for each answer, and get what is in it."""

    class OfDisks(General):
        def check_metadata(self, metadata: Mapping[str, object]) -> None:
            assert "disks" in metadata, "disks are what it reports on"

        def check_failure(self, message: str) -> None:
            assert message.startswith("Disk error: "), "disks are what fails"

    with answering(AVAILABLE) as url, pytest.raises(AssertionError, match="what it reports on"):
        getattr(OfDisks(url), BACKEND_INFO)()
    with answering(UNAVAILABLE) as url, pytest.raises(AssertionError, match="what fails"):
        getattr(OfDisks(url), BACKEND_INFO)()


def _in_turn(*codes: int) -> Callable[[str], Reply]:
    """Answer with these codes, then with the last one for ever."""
    replies = {200: AVAILABLE, 503: UNAVAILABLE}
    left = list(codes)
    return lambda _: replies[left.pop(0) if len(left) > 1 else left[0]]


def test_a_status_that_turns_between_head_and_get_is_no_breach() -> None:
    """Both are asked once more."""
    with answering(_in_turn(200, 503)) as url:
        getattr(General(url), HEAD)()


def test_a_head_that_answers_otherwise_than_get_is_found() -> None:
    """Its code is another one, whenever it is asked."""

    def reply(method: str) -> Reply:
        return replace(AVAILABLE, code=405 if method == "HEAD" else 200)

    with answering(reply) as url, pytest.raises(AssertionError, match=r"HEAD answers \(405"):
        getattr(General(url), HEAD)()


def test_a_service_behind_tls_is_asked_over_tls(authority: trustme.CA) -> None:
    """With the authority that the suite's `tls` trusts."""
    trusted = ssl.create_default_context(cadata=authority.cert_pem.bytes().decode())
    server = server_context(authority.issue_cert("127.0.0.1"))
    with answering(AVAILABLE, server) as url:
        _run_all(Exact(url, trusted))
        with pytest.raises(AssertionError, match=r"no answer: .*CERTIFICATE_VERIFY_FAILED"):
            getattr(General(url), BACKEND_INFO)()


def test_bytes_after_head_are_found_over_tls(authority: trustme.CA) -> None:
    """HEAD is read to its end there too."""
    trusted = ssl.create_default_context(cadata=authority.cert_pem.bytes().decode())
    server = server_context(authority.issue_cert("127.0.0.1"))
    reply = replace(AVAILABLE, after_head=b"{")
    with answering(reply, server) as url, pytest.raises(AssertionError, match="after the headers"):
        getattr(General(url, trusted), HEAD)()


def test_a_service_that_speaks_plain_http_where_tls_was_said_is_found() -> None:
    """The address is meant as it stands."""
    with answering(AVAILABLE) as url, pytest.raises(AssertionError, match=r"no answer: .*SSL"):
        getattr(General(url.replace("http://", "https://")), BACKEND_INFO)()


def test_a_service_that_is_away_is_found() -> None:
    """The failure names what was asked."""
    with pytest.raises(AssertionError, match=r"GET http://127\.0\.0\.1:1/health: no answer"):
        getattr(General("http://127.0.0.1:1/health"), BACKEND_INFO)()


@pytest.mark.parametrize(
    "url", ["ftp://host/health", "127.0.0.1:8080/health", "http:///health", "http://host:x", ""]
)
def test_an_address_that_cannot_be_asked_is_refused_with_a_sentence(url: str) -> None:
    """Another scheme, none, no host, no port."""
    with pytest.raises(AssertionError) as failed:
        getattr(General(url), BACKEND_INFO)()
    expected = f"url() is to be http://host/... or https://host/..., and is {url!r}"
    assert expected in str(failed.value)
