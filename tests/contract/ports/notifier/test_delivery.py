"""What arrives: at a webhook, at ntfy, in a mailbox, and at services that take markup."""

import re
from collections.abc import Iterator

import pytest
import trustme
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dstack_backend.adapters.apprise_notifier import AppriseTarget, check_urls
from dstack_backend.domain.notification import Level
from tests.contract.ports.notifier.mail_server import mail_server
from tests.contract.ports.notifier.web_server import WebServer, answer, web_server
from tests.contract.process.certificates import server_context

TITLE = "节点 7 - GPU 丢失"
BODY = "显卡 H200, 0000:18:00.0, 自 2026-11-24 02:53:25 起丢失。\n请运行: lspci -s 0000:18:00.0"

HOSTILE_TITLE = "<b>a</b> [b](http://evil.example) *c* `d` &lt;"
HOSTILE = "<b>a</b> [b](http://evil.example) <http://evil.example|c> *d* &lt; <!-- e\n# f"
"""Text that is markup in HTML, in Markdown, or at Slack."""

SERVICE = "node monitor"


@pytest.fixture(scope="module")
def web() -> Iterator[WebServer]:
    """A server that accepts each message."""
    with web_server() as server:
        yield server


@pytest.fixture
def proxied(authority: trustme.CA, monkeypatch: pytest.MonkeyPatch) -> Iterator[WebServer]:
    """A proxy that answers in the place of each host."""
    tls = server_context(authority.issue_cert("proxy.example"))
    with web_server(tls=tls, is_proxy=True) as server:
        monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{server.port}")
        yield server


def _checked_target(url: str, name: str) -> AppriseTarget:
    """Return the target of an address whose check returns a name."""
    assert check_urls([url]) == [name]
    return AppriseTarget(url, SERVICE)


def test_webhook_gets_title_and_body(web: WebServer) -> None:
    """And nothing else but constants: no address of an image, and no name but the service's."""
    target = _checked_target(f"json://user:pass@127.0.0.1:{web.port}/hook", "JSON")
    assert target.send(TITLE, BODY)
    request = web.requests[-1]
    assert (request.path, request.headers["User-Agent"]) == ("/hook", SERVICE)
    assert request.json() == {
        "version": "1.0",
        "title": TITLE,
        "message": BODY,
        "attachments": [],
        "type": "info",
    }
    for level in Level:
        assert target.send(TITLE, BODY, level)
        assert web.requests[-1].json()["type"] == level


def test_ntfy_gets_title_and_body(web: WebServer) -> None:
    """As text: without the header that turns Markdown on, and without an icon."""
    target = _checked_target(f"ntfy://user:pass@127.0.0.1:{web.port}/nodes", "ntfy")
    assert target.send(TITLE, BODY)
    request = web.requests[-1]
    assert request.json() == {"topic": "nodes", "title": TITLE, "message": BODY}
    assert not [name for name in request.headers if name.startswith("X-")]


def test_mailbox_gets_title_and_body() -> None:
    """As one part of plain text."""
    with mail_server() as server:
        target = _checked_target(server.url, "E-Mail")
        assert target.send(TITLE, BODY)
        (mail,) = server.messages
    assert (mail["Subject"], mail.get_content_type()) == (TITLE, "text/plain")
    assert (mail["From"], mail["To"]) == ("node@sender.example", "operator@mail.example")
    assert mail["X-Application"] == SERVICE
    assert mail.get_content().splitlines() == BODY.splitlines()


def test_mailbox_gets_html_as_text() -> None:
    """Where the operator asks for HTML, the text has no tag but those of line breaks."""
    with mail_server() as server:
        assert AppriseTarget(server.url + "&format=html", SERVICE).send(HOSTILE_TITLE, HOSTILE)
        (mail,) = server.messages
    assert mail["Subject"] == HOSTILE_TITLE
    part = mail.get_body(("html",))
    assert part is not None
    html = part.get_content().replace("&nbsp;", " ")
    assert html.count("<") == html.count("<br/>") == 1
    assert "&lt;b&gt;a&lt;/b&gt; [b](http://evil.example) &lt;http://evil.example|c&gt;" in html


def test_title_cannot_add_a_header_to_a_mail() -> None:
    """A line break in it becomes a space."""
    with mail_server() as server:
        assert AppriseTarget(server.url, SERVICE).send("a\r\nBcc: x@evil.example\n\nb", "c")
        (mail,) = server.messages
    assert (mail["Subject"], mail["Bcc"]) == ("a Bcc: x@evil.example b", None)


def test_telegram_gets_markup_as_text(proxied: WebServer) -> None:
    """Telegram reads HTML: the only tag is that of the title."""
    url = "tgram://123456789:abcdefg_hijklmnop/12315544?verify=no"
    assert AppriseTarget(url, SERVICE).send(HOSTILE_TITLE, HOSTILE)
    assert proxied.tunnels == ["api.telegram.org:443"]
    (request,) = proxied.requests
    text = request.json()["text"].removeprefix("<b>").replace("</b>\r\n", "\n", 1)
    assert "<" not in text
    assert "&lt;b&gt;a&lt;/b&gt; [b](http://evil.example) &lt;http://evil.example|c&gt;" in text
    assert "&amp;lt; &lt;!-- e" in text


@pytest.mark.parametrize(
    ("url", "host", "body"),
    [
        ("slack://T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ/#a", "hooks.slack.com", b"ok"),
        ("discord://4174216298/JHMHI8qBe7bk2ZwO5U711o3dV_js/", "discord.com", b"{}"),
        ("dingtalk://abcdefgh12345/", "oapi.dingtalk.com", b"{}"),
        ("feishu://abcdefghijk123456/", "open.feishu.cn", b"{}"),
        ("wecombot://abcdefgh-12345-abc-def/", "qyapi.weixin.qq.com", b"{}"),
    ],
)
def test_nothing_of_apprise_is_sent(proxied: WebServer, url: str, host: str, body: bytes) -> None:
    """The one request goes to the service, and contains no address of an image or of Apprise."""
    proxied.reply = answer(200, body)
    assert AppriseTarget(f"{url}?verify=no", SERVICE).send(TITLE, BODY)
    assert proxied.tunnels == [f"{host}:443"]
    (request,) = proxied.requests
    assert "节点 7".encode() in request.body or rb"\u8282\u70b9 7" in request.body
    sent = request.path.encode() + repr(request.headers).encode() + request.body
    assert b"apprise" not in sent.lower()
    assert b"github" not in sent.lower()


@pytest.fixture(scope="module")
def webhook(web: WebServer) -> AppriseTarget:
    """The server as an address."""
    return AppriseTarget(f"json://127.0.0.1:{web.port}", SERVICE)


TEXTS = st.text(
    st.characters(exclude_characters="\\", exclude_categories=[])
    | st.sampled_from("<>&*_[]()@\n\r")
)
ESCAPE = re.compile(r"\\(u[0-9a-f]{4}|[bfnrt])")
"""Stands for a character that is not printable."""


@settings(
    max_examples=15,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow],
)
@given(title=TEXTS, body=TEXTS)
def test_each_text_arrives_or_is_refused(
    web: WebServer, webhook: AppriseTarget, title: str, body: str
) -> None:
    """All printable characters arrive in their lines. A body without any does not."""
    web.requests.clear()
    assert webhook.send(title, body) == any(line.strip(" ") for line in body.splitlines())
    for request in web.requests:
        arrived = request.json()
        assert arrived["title"].isprintable()
        assert _visible(arrived["title"]) == _visible(title)
        lines = [line.rstrip(" ") for line in arrived["message"].split("\n")]
        assert all(map(str.isprintable, lines))
        expected = list(map(_visible, body.splitlines()))
        assert list(map(_visible, lines)) == expected[: len(lines)]
        assert not any(expected[len(lines) :])


def _visible(text: str) -> str:
    return "".join(char for char in ESCAPE.sub("", text) if char.isprintable() and char != " ")


@pytest.mark.parametrize("char", ["a", "节"])
def test_long_text_arrives_at_a_webhook(web: WebServer, webhook: AppriseTarget, char: str) -> None:
    """5,000 characters are not too long."""
    assert webhook.send(TITLE, char * 5000)
    assert web.requests[-1].json()["message"] == char * 5000


def test_text_that_is_too_long_for_a_service_is_cut(proxied: WebServer) -> None:
    """Discord takes 2,000 characters, and would refuse more."""
    url = "discord://4174216298/JHMHI8qBe7bk2ZwO5U711o3dV_js/?verify=no"
    assert AppriseTarget(url, SERVICE).send(TITLE, "a" * 5000)
    (request,) = proxied.requests
    content = request.json()["content"]
    assert content.startswith(TITLE)
    assert 1900 < len(content) <= 2000


def test_name_of_the_sender_is_reduced_to_ascii(web: WebServer) -> None:
    """It is an HTTP header."""
    target = AppriseTarget(f"json://127.0.0.1:{web.port}", "节点\r\nX-Evil: 1")
    assert target.send(TITLE, BODY)
    assert web.requests[-1].headers["User-Agent"] == "X-Evil: 1"
    assert "X-Evil" not in web.requests[-1].headers
