"""Strategies for HTTP requests: valid ones, almost valid ones, and noise."""

from urllib.parse import quote

from hypothesis import strategies as st
from hypothesis.strategies import DrawFn, SearchStrategy
from msgspec import Struct

from dstack_backend.testing.strategies import nasty_texts

__all__ = ["Request", "requests"]

_PATHS = (
    *("/", "/health", "/livez", "/readyz", "/status", "/metrics", "/history", "/uptime"),
    *(
        "/events",
        "/badge.svg",
        "/schema/openapi.json",
        "/schema/openapi.yaml",
        "/schema",
        "/incidents",
        "/page/",
        "/favicon.ico",
    ),
)
_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT", "BREW")
_PARAMETERS = ("since", "until", "limit", "before", "lang", "window", "path", "token", "")
_VALUES = (
    *("0", "1", "-1", "1000", "1001", "9" * 25, "9" * 5000, "1e3", "0x10", "nan", "true", "null"),
    *("2026-11-24T02:53:25Z", "0001-01-01", "9999-12-31T23:59:59-23:59", "2026-W01", "de", "zh-TW"),
    *("0001-01-01T00:00:00+23:59", "2026-11-24T02:53:25 01:00", "24:00", "%00", "../../etc/passwd"),
)
_HEADERS = (
    *("Accept", "Accept-Language", "Accept-Encoding", "Authorization", "Cookie", "Content-Type"),
    *("Origin", "Range", "If-None-Match", "If-Modified-Since", "X-Forwarded-For", "Forwarded"),
    *("Access-Control-Request-Method", "Access-Control-Request-Headers", "Last-Event-ID", "TE"),
    *("X-HTTP-Method-Override", "User-Agent", "Referer", "Expect", "Via", "X-Odd"),
)
_HEADER_VALUES = (
    *(
        "*/*",
        "text/html",
        "application/json;q=0.5, text/html;q=1.001",
        "text/html;q=, ,;q",
        "zh;q=2",
    ),
    *("application/json", "multipart/form-data", "multipart/form-data; boundary=", "gzip, br;q=x"),
    *(
        "bytes=0-1,-5",
        "null",
        "http://evil.example",
        "a=b; c=\x01",
        "Bearer x",
        "100-continue",
        "\xff",
    ),
    *(
        "text/plain; charset=utf-99",
        "application/x-www-form-urlencoded",
        "," * 500,
        "-1",
        "0",
        "q=" * 99,
    ),
)


class Request(Struct, frozen=True):
    """One request.

    Attributes:
        method: A token.
        path: Decoded.
        query: As sent.
        headers: Names and values as sent, without those of framing.
        body: Any bytes.
    """

    method: str
    path: str
    query: bytes
    headers: tuple[tuple[bytes, bytes], ...]
    body: bytes

    @property
    def target(self) -> bytes:
        """Path and query as sent."""
        path = quote(self.path, safe="/:@!$&'()*+,;=~", errors="surrogateescape").encode()
        return path + (b"?" + self.query if self.query else b"")

    def encode(self, *, close: bool) -> bytes:
        """Return the request as bytes, with its true length."""
        head = b"%s %s HTTP/1.1\r\nHost: me\r\n" % (self.method.encode(), self.target)
        fields = b"".join(b"%s: %s\r\n" % pair for pair in self.headers)
        length = b"Content-Length: %d\r\n" % len(self.body) if self.body else b""
        return (
            head
            + fields
            + length
            + (b"Connection: close\r\n" if close else b"")
            + b"\r\n"
            + self.body
        )


def requests() -> SearchStrategy[Request]:
    """Return requests of valid form whose parts may be anything: a server passes them on."""
    return st.builds(Request, _methods(), _paths(), _queries(), _headers(), _bodies())


def _methods() -> SearchStrategy[str]:
    token = st.text("ABCDEFGHIJKLMNOPQRSTUVWXYZabc!#$%&'*+-.^_`|~09", min_size=1, max_size=12)
    return st.just("GET") | st.sampled_from(_METHODS) | token


@st.composite
def _paths(draw: DrawFn) -> str:
    path = draw(st.sampled_from(_PATHS))
    extra = draw(
        st.just("")
        | st.sampled_from(("/", "//", "/..", "/.", "x", "%2f", "{path}"))
        | nasty_texts()
    )
    return draw(st.sampled_from((path, path + extra, "/" + extra, path.upper(), "/" + path)))


def _queries() -> SearchStrategy[bytes]:
    value = st.sampled_from(_VALUES) | nasty_texts() | st.datetimes().map(str)
    pair = st.tuples(st.sampled_from(_PARAMETERS) | st.text(max_size=5), value)
    written = pair.map(lambda each: f"{quote(each[0])}={quote(each[1])}".encode())
    noise = st.text("abc=&%;+[]{}0f?/", max_size=20).map(str.encode)
    return st.lists(written | noise, max_size=4).map(b"&".join)


def _headers() -> SearchStrategy[tuple[tuple[bytes, bytes], ...]]:
    names = st.sampled_from(_HEADERS).map(str.encode)
    visible = st.text(
        st.characters(min_codepoint=0x20, max_codepoint=0xFF, exclude_characters="\x7f"),
        max_size=30,
    )
    values = (st.sampled_from(_HEADER_VALUES) | visible).map(lambda text: text.encode("latin-1"))
    return st.lists(st.tuples(names, values), max_size=5).map(tuple)


def _bodies() -> SearchStrategy[bytes]:
    return st.just(b"") | st.binary(max_size=200) | st.just(b"{") | st.just(b"x" * 100_000)
