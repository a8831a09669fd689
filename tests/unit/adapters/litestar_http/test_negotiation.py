"""Content negotiation: HTML or JSON, and the language."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dstack_backend.adapters.litestar_http.negotiation import (
    preferred_language,
    prefers_html,
    prefers_openmetrics,
)

FIREFOX = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"
CHROME = (
    "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,image/apng,*/*;"
    "q=0.8,application/signed-exchange;v=b3;q=0.7"
)
OLD_FIREFOX = "text/html,application/xhtml+xml,application/xml;q=0.9,image/webp,*/*;q=0.8"
INTERNET_EXPLORER = "text/html, application/xhtml+xml, image/jxr, */*"
LYNX = "text/html, text/plain, text/sgml, text/css, application/xhtml+xml, */*;q=0.01"
W3M = "text/html, text/*;q=0.5, image/*, application/*, audio/*"


@pytest.mark.parametrize(
    "accept",
    [
        *(FIREFOX, CHROME, OLD_FIREFOX, INTERNET_EXPLORER, LYNX, W3M),
        *("text/html", "TEXT/HTML", "text/*", "application/json;q=0.5,text/html"),
        *("image/png, text/html, */*", "application/json; Q = 0.5 ;v=1, text/html"),
    ],
)
def test_browsers_prefer_html(accept: str) -> None:
    """With the headers that real ones send."""
    assert prefers_html(accept)


@pytest.mark.parametrize(
    "accept",
    [
        *("", "*/*", "application/json", "application/*", "image/avif,image/webp,*/*;q=0.8"),
        "application/json, text/plain, */*",  # axios
        "application/json, text/html",
        "text/html;q=0.4, application/json",
        "text/html;q=0",
        *("text/plain", ";;;", ",,,", "q=1", "text/html;q=0.9, */*", "text/css,*/*;q=0.1"),
    ],
)
def test_programs_prefer_json(accept: str) -> None:
    """Also without a preference, and with an invalid header."""
    assert not prefers_html(accept)


PROMETHEUS_2 = (
    "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,"
    "text/plain;version=0.0.4;q=0.5,*/*;q=0.1"
)
PROMETHEUS_3 = (
    "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,"
    "application/openmetrics-text;version=0.0.1;q=0.5,"
    "text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2"
)
PROMETHEUS_TEXT_FIRST = (
    "text/plain;version=0.0.4;q=0.5,application/openmetrics-text;version=1.0.0;q=0.4,*/*;q=0.2"
)
VICTORIA_METRICS = "text/plain;version=0.0.4;q=1,*/*;q=0.1"


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        (PROMETHEUS_2, True),
        (PROMETHEUS_3, True),
        ("Application/OpenMetrics-Text", True),
        # The library's own choice fails for such a version, and ignores `q`.
        ("application/openmetrics-text;version=abc", True),
        ("application/openmetrics-text;q=0", False),
        ("application/openmetrics-text;q=0.1, text/plain", False),
        (PROMETHEUS_TEXT_FIRST, False),
        (VICTORIA_METRICS, False),
        *((each, False) for each in ("", "*/*", "text/*", "application/*", "application/json")),
        (FIREFOX, False),
    ],
)
def test_openmetrics_must_be_named(accept: str, *, expected: bool) -> None:
    """With the headers that real programs send. The default is Prometheus's text format."""
    assert prefers_openmetrics(accept) is expected


@pytest.mark.parametrize(
    ("header", "language"),
    [
        ("zh-CN,zh;q=0.9,en;q=0.8", "zh"),
        ("zh-TW", "zh"),
        ("zh-Hans-CN", "zh"),
        ("ZH", "zh"),
        ("en-GB,en;q=0.9,zh;q=0.8", "en"),
        ("en;q=0.3, zh;q=0.7", "zh"),
        ("de-DE,de;q=0.9,zh;q=0.5", "zh"),
        ("zh;q=0, en;q=0.1", "en"),
        ("de, fr;q=0.5", None),
        ("zhx", None),
        ("*", None),
        ("", None),
        ("zh;q=x", "zh"),
    ],
)
def test_the_preferred_language_is_chosen(header: str, language: str | None) -> None:
    """Of those that are available."""
    assert preferred_language(header, ("en", "zh")) == language


@given(st.text(alphabet="texhml/*;q=01.,- \tzn", max_size=60) | st.text(max_size=60))
def test_any_header_is_accepted(header: str) -> None:
    """Whatever a header contains, the result is a boolean, or a known language or none."""
    assert prefers_html(header) in (True, False)
    assert preferred_language(header, ("en", "zh")) in (None, "en", "zh")
