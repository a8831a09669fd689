"""Settings: any environment and any command line."""

import os
import re
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from dstack_backend.app.config.settings import SETTINGS, Settings, load, load_dstack
from dstack_backend.app.config.table import LISTEN_ADDR, read_setting
from dstack_backend.app.errors import UserError
from tests.fuzz.effort import effort
from tests.setting_texts import setting_texts

CANARY = "c4n4ry"
MESSAGE = re.compile(r"([A-Z_]+) \((--[a-z-]+)\): .+; for example ([A-Z_]+)=\S+")
VARIABLES = [setting.variable for setting in SETTINGS]
GOOD = [text for setting in SETTINGS for text in (setting.default, setting.example) if text]

TEXTS = st.one_of(
    setting_texts(),
    st.sampled_from(GOOD),
    st.sampled_from(GOOD).flatmap(lambda text: st.text(max_size=3).map(text.__add__)),
    # What is not UTF-8 in the environment arrives as lone surrogates.
    st.binary(max_size=12).map(os.fsdecode),
    st.sampled_from(("/dev/null", "/", "/proc/self/mem", "/no/such/file", "\0", "x" * 5000, ".")),
)
OTHERS = st.sampled_from(("PATH", "HTTP_PROXY", "SSL_CERT_FILE", "LISTEN_ADDR ", "dstack_url", ""))


def given_texts() -> SearchStrategy[dict[str, str]]:
    """Variables of the service and others, most of them with odd values."""
    return st.dictionaries(st.sampled_from(VARIABLES) | OTHERS, TEXTS, max_size=6)


def outcome(environ: Mapping[str, str], options: Mapping[str, str]) -> str:
    """Load, and return the message, or the settings as a log would show them."""
    refused = refusal(lambda: (load(environ, options), load_dstack(environ, options)))
    if refused is None:
        settings, dstack = load(environ, options), load_dstack(environ, options)
        assert isinstance(settings, Settings)
        return f"{settings!r} {dstack!r} {dstack.address.shown}"
    match = MESSAGE.fullmatch(refused)
    assert match is not None, refused
    assert match[1] == match[3] == match[2][2:].replace("-", "_").upper()
    assert refused.isprintable()
    assert len(refused) < 600
    return refused


def refusal(read: Callable[[], object]) -> str | None:
    """Return the message; `None` where all is good."""
    try:
        read()
    except UserError as exc:
        return str(exc)
    return None


@effort(5_000)
@given(given_texts(), given_texts())
def test_any_environment_gives_settings_or_one_printable_line(
    environ: dict[str, str], options: dict[str, str]
) -> None:
    """No other exception is raised. The line has the variable, its fault and an example."""
    outcome(environ, options)


@effort(1_500)
@given(given_texts(), given_texts())
def test_healthcheck_reads_the_address_as_the_service_does(
    environ: dict[str, str], options: dict[str, str]
) -> None:
    """An address with which the service starts is one that `healthcheck` accepts."""
    only = {"LISTEN_ADDR": environ.get("LISTEN_ADDR", ""), "DSTACK_URL": "http://h"}
    chosen = {name: text for name, text in options.items() if name == "LISTEN_ADDR"}
    refused = refusal(lambda: read_setting(LISTEN_ADDR, environ, options))
    assert refused == refusal(lambda: load(only, chosen))
    if refused is None:
        assert load(only, chosen).listen == read_setting(LISTEN_ADDR, environ, options)


@pytest.fixture(scope="module")
def token_file() -> Iterator[Path]:
    """A file for a token."""
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder) / "token"


@effort(1_500)
@given(given_texts(), st.text(max_size=8), TEXTS, st.sampled_from(("http", "https", "ftp", "")))
def test_no_secret_is_ever_repeated(
    token_file: Path, environ: dict[str, str], noise: str, text: str, scheme: str
) -> None:
    """Neither a token, a password nor the content of a token file, whatever else is wrong."""
    token_file.write_bytes((CANARY + noise).encode())
    for secret in (
        {"DSTACK_TOKEN": noise + CANARY + text},
        {"DSTACK_URL": f"{scheme}://user:{CANARY}{noise}@h{text}"},
        {"DSTACK_URL": f"{scheme}://{CANARY}:{noise}{CANARY}@h:{text}"},
        {"DSTACK_TOKEN_FILE": str(token_file)},
    ):
        assert CANARY not in outcome({**environ, **secret}, {})
        assert CANARY not in outcome(environ, secret)
