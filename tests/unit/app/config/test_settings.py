"""Settings: what is accepted, and how each bad value is refused."""

import os
import re
from datetime import timedelta
from pathlib import Path

import pytest
import trustme
from hypothesis import given
from hypothesis import strategies as st

from dstack_backend.adapters.httpx_dstack import Basic, Bearer, TokenFile
from dstack_backend.app.config.settings import (
    SETTINGS,
    ListenAddress,
    Settings,
    load,
    load_history_folder,
    load_listen,
)
from dstack_backend.app.errors import UserError
from dstack_backend.domain import CheckPolicy
from dstack_backend.testing.strategies import setting_texts

CANARY = "c4n4ry"
VARIABLES = [setting.variable for setting in SETTINGS]
MESSAGE = re.compile(
    r"(?P<variable>[A-Z_]+) \((?P<option>--[a-z-]+)\): (?P<fault>.+); for example"
    r" (?P<again>[A-Z_]+)=(?P<example>\S+)"
)


def refused(environ: dict[str, str], options: dict[str, str] | None = None) -> str | None:
    """The message about a bad setting; `None` where all are good."""
    try:
        load(environ, options or {})
    except UserError as exc:
        return str(exc)
    return None


def test_the_settings_are_those_of_the_contract() -> None:
    """Names and defaults are what operators rely on."""
    assert {setting.variable: setting.default for setting in SETTINGS} == {
        "LISTEN_ADDR": "0.0.0.0:8080",
        "DSTACK_URL": "http://localhost:19060",
        "DSTACK_TOKEN": "",
        "DSTACK_TOKEN_FILE": "",
        "DSTACK_CA_FILE": "",
        "CHECK_INTERVAL": "10",
        "CHECK_TIMEOUT": "5",
        "FAILURE_THRESHOLD": "1",
        "RECOVERY_THRESHOLD": "1",
        "DATA_DIR": "./data",
        "HISTORY": "on",
        "HISTORY_RETENTION": "400",
        "LOG_LEVEL": "info",
        "LOG_FORMAT": "text",
        "PUBKEYS": "",
        "NOSTR_KEY_FILE": "",
        "NOSTR_KEY_CREATE": "0",
        "ADVERTISED_IP": "",
    }


def test_without_any_setting_the_defaults_hold() -> None:
    """An empty environment starts the service of the seed."""
    settings = load({}, {})
    assert settings.listen == ListenAddress("0.0.0.0", 8080)
    assert settings.dstack.url == "http://localhost:19060/prpc/ListGpus?json"
    assert settings.policy == CheckPolicy()
    assert (settings.credentials, settings.tls) == (None, None)
    assert (settings.history_folder, settings.history_retention) == (
        Path("data"),
        timedelta(days=400),
    )
    assert (settings.log_level, settings.log_format) == ("info", "text")


@pytest.mark.parametrize(
    ("environ", "options", "interval"),
    [
        ({"CHECK_INTERVAL": "20"}, {}, 20),
        ({"CHECK_INTERVAL": "20"}, {"CHECK_INTERVAL": "30"}, 30),
        ({}, {"CHECK_INTERVAL": "30"}, 30),
        ({"CHECK_INTERVAL": ""}, {}, 10),
        ({"CHECK_INTERVAL": "20"}, {"CHECK_INTERVAL": ""}, 20),
    ],
)
def test_an_option_beats_its_variable_and_empty_is_not_set(
    environ: dict[str, str], options: dict[str, str], interval: float
) -> None:
    """Compose files pass empty variables for what is not set."""
    assert load(environ, options).policy.interval == interval


@pytest.mark.parametrize(
    ("text", "listen"),
    [
        ("0.0.0.0:8080", ListenAddress("0.0.0.0", 8080)),
        ("127.0.0.1:1", ListenAddress("127.0.0.1", 1)),
        ("localhost:65535", ListenAddress("localhost", 65535)),
        ("[::]:8080", ListenAddress("::", 8080)),
        ("[::1]:8080", ListenAddress("::1", 8080)),
        ("a-b.c_d.:80", ListenAddress("a-b.c_d.", 80)),
        (f"{'a' * 63}.b:80", ListenAddress(f"{'a' * 63}.b", 80)),
    ],
)
def test_where_to_listen(text: str, listen: ListenAddress) -> None:
    """Host and port, IPv6 in brackets; the address is shown as it was written."""
    assert load({"LISTEN_ADDR": text}, {}).listen == listen
    assert load_listen({"LISTEN_ADDR": text}, {}) == listen
    assert str(listen) == text


@pytest.mark.parametrize(
    ("variable", "text"),
    [
        *(("CHECK_INTERVAL", text) for text in ("0.1", ".5", "10.", "86400", "007")),
        *(("CHECK_TIMEOUT", text) for text in ("0.1", "2.5", "86400")),
        *(("FAILURE_THRESHOLD", text) for text in ("1", "1000")),
        *(("RECOVERY_THRESHOLD", text) for text in ("1", "1000")),
        *(("HISTORY", text) for text in ("on", "OFF")),
        *(("HISTORY_RETENTION", text) for text in ("1", "3650")),
        ("DATA_DIR", "/nowhere/yet"),
        *(("LOG_LEVEL", text) for text in ("debug", "INFO", "Warning", "error")),
        *(("LOG_FORMAT", text) for text in ("text", "JSON")),
        *(("DSTACK_URL", text) for text in ("unix:/run/vmm.sock", "http://u:p@h/a")),
        ("DSTACK_TOKEN", "a!b~c"),
    ],
)
def test_what_is_accepted(variable: str, text: str) -> None:
    """The edges of each range, and either case."""
    assert refused({variable: text}) is None


BAD = [
    *(("LISTEN_ADDR", text) for text in ("8080", ":8080", "localhost", "h:0", "h:65536", "h:-1")),
    *(
        ("LISTEN_ADDR", text)
        for text in ("::1:8080", "[::1]", "[h]:80", "[]:80", "a b:80", "h:80 ")
    ),
    *(
        ("LISTEN_ADDR", text)
        for text in ("a..b:80", ".:80", ".a:80", f"{'a' * 64}:80", f"b.{'a' * 64}.c:80")
    ),
    *(
        ("LISTEN_ADDR", text)
        for text in ("h:http", "http://h:80", "h:80\n", "x" * 500, "[::1%\n]:8")
    ),
    *(
        ("DSTACK_URL", text)
        for text in ("localhost:1", "ftp://h", "http://", "http://h:0", "unix:x")
    ),
    *(("DSTACK_URL", text) for text in ("http://h?a", "http://h#a", "http://h a", "http://h\n")),
    *(("DSTACK_TOKEN", text) for text in (f"{CANARY} x", f"{CANARY}\n", f"{CANARY}ü", " ", "\0")),
    *(
        ("DSTACK_TOKEN_FILE", text)
        for text in ("/no/such/file", "/dev/null", "/", "\0", "x" * 5000)
    ),
    *(("DSTACK_CA_FILE", text) for text in ("/no/such/file", "/dev/null", "/", "\0", "x" * 5000)),
    *(
        ("CHECK_INTERVAL", text)
        for text in ("0", "-1", "1e3", "ten", "inf", "nan", "0.09", "86401")
    ),
    *(("CHECK_INTERVAL", text) for text in ("1,5", "10s", "1 0", "٣", ".", "9" * 400, "10\n")),
    *(("CHECK_TIMEOUT", text) for text in ("0", "-1", "five", "86401")),
    *(("FAILURE_THRESHOLD", text) for text in ("0", "-1", "1.5", "1001", "one", "٣", "9" * 5000)),
    *(("RECOVERY_THRESHOLD", text) for text in ("0", "-1", "1.5", "1001", "one")),
    *(("HISTORY", text) for text in ("no", "1", "on ")),
    *(("HISTORY_RETENTION", text) for text in ("0", "-1", "1.5", "3651", "forever", "9" * 5000)),
    ("DATA_DIR", "\0"),
    *(("LOG_LEVEL", text) for text in ("loud", "10", "info ", "trace\n")),
    *(("LOG_FORMAT", text) for text in ("xml", "yes", "\x1b[31m")),
]


@pytest.mark.parametrize(("variable", "text"), BAD)
def test_a_bad_value_is_refused_in_one_line_with_a_way_out(variable: str, text: str) -> None:
    """Variable and option, the fault, and an example that is itself accepted."""
    message = refused({variable: text})
    assert message is not None
    assert message == refused({}, {variable: text})
    assert_is_helpful(message, variable)


def assert_is_helpful(message: str, variable: str) -> None:
    """The form of every message."""
    assert message.isprintable()
    assert len(message) < 600  # 40 characters of a value, each escaped
    match = MESSAGE.fullmatch(message)
    assert match is not None, message
    assert match["variable"] == match["again"] == variable
    assert match["option"] == "--" + variable.lower().replace("_", "-")
    if variable.endswith("_FILE"):
        assert Path(match["example"]).is_absolute()  # which files there are, nobody knows
    else:
        assert refused({variable: match["example"]}) is None


@pytest.mark.parametrize("variable", VARIABLES)
@given(text=setting_texts())
def test_any_text_is_accepted_or_refused_helpfully(variable: str, text: str) -> None:
    """No value of any variable makes another exception or a message of another form."""
    message = refused({variable: text})
    if message is not None:
        assert_is_helpful(message, variable)


@given(setting_texts())
def test_a_password_in_the_address_is_never_repeated(noise: str) -> None:
    """Neither by a message nor by the settings that are shown in a log or a traceback."""
    text = f"http://user:{CANARY}{noise}@h"
    assert CANARY not in (refused({"DSTACK_URL": text}) or repr(load({"DSTACK_URL": text}, {})))


@given(st.text(max_size=5), st.text(max_size=5))
def test_a_token_is_never_repeated(before: str, after: str) -> None:
    """A message about a token that fits no header shows nothing of it."""
    environ = {"DSTACK_TOKEN": before + CANARY + after}
    assert CANARY not in (refused(environ) or repr(load(environ, {})))


@pytest.mark.parametrize(
    ("environ", "variable"),
    [
        ({"DSTACK_TOKEN": CANARY, "DSTACK_TOKEN_FILE": "FILE"}, "DSTACK_TOKEN_FILE"),
        ({"DSTACK_URL": f"http://u:{CANARY}@h", "DSTACK_TOKEN": CANARY}, "DSTACK_URL"),
        ({"DSTACK_URL": f"http://u:{CANARY}@h", "DSTACK_TOKEN_FILE": "FILE"}, "DSTACK_URL"),
    ],
)
def test_two_ways_to_prove_who_we_are_are_refused(
    environ: dict[str, str], variable: str, tmp_path: Path
) -> None:
    """Nobody can tell which of them was meant; neither is repeated."""
    file = tmp_path / "token"
    file.write_text(CANARY)
    given = {name: value.replace("FILE", str(file)) for name, value in environ.items()}
    message = refused(given)
    assert message is not None
    assert CANARY not in message
    assert "keep one of the two" in message
    assert_is_helpful(message, variable)


def test_what_dstack_is_shown(tmp_path: Path) -> None:
    """The token, the file's token, or the login of the address."""
    file = tmp_path / "token"
    file.write_text("b")
    assert load({"DSTACK_TOKEN": "a"}, {}).credentials == Bearer("a")
    assert load({"DSTACK_URL": "http://u:p@h"}, {}).credentials == Basic("u", "p")
    credentials = load({"DSTACK_TOKEN_FILE": str(file)}, {}).credentials
    assert isinstance(credentials, TokenFile)
    assert credentials.header() == "Bearer b"


def test_own_certificates_are_trusted_instead_of_the_usual_ones(tmp_path: Path) -> None:
    """With `https://` and a file, the file's certificates are all that is trusted."""
    file = tmp_path / "ca.pem"
    trustme.CA().cert_pem.write_to_path(str(file))
    own = load({"DSTACK_URL": "https://h", "DSTACK_CA_FILE": str(file)}, {}).tls
    usual = load({"DSTACK_URL": "https://h"}, {}).tls
    assert own is not None
    assert usual is not None
    assert len(own.get_ca_certs()) == 1
    assert len(usual.get_ca_certs()) > 1


@pytest.mark.timeout(5)
def test_a_pipe_in_the_place_of_certificates_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    """Opening a pipe that nobody writes to would never end, not even for the doctor."""
    os.mkfifo(tmp_path / "pipe")
    message = refused({"DSTACK_CA_FILE": str(tmp_path / "pipe")})
    assert message is not None
    assert "DSTACK_CA_FILE (--dstack-ca-file): is not a regular file" in message


def test_without_tls_there_is_no_tls_context(tmp_path: Path) -> None:
    """A file of certificates is checked all the same, and then not used."""
    file = tmp_path / "ca.pem"
    trustme.CA().cert_pem.write_to_path(str(file))
    settings: Settings = load({"DSTACK_CA_FILE": str(file)}, {})
    assert settings.tls is None


@pytest.mark.parametrize("text", ["8080", "h:0", "[::1%\n]:8", "a..b:1", f"{'a' * 64}:1"])
def test_the_health_check_refuses_a_bad_address_alike(text: str) -> None:
    """It reads only where the service answers, by the same rule."""
    with pytest.raises(UserError, match=r"^LISTEN_ADDR \(--listen-addr\): "):
        load_listen({"LISTEN_ADDR": text, "DSTACK_URL": "bad"}, {})


def test_where_the_history_is_needs_no_other_setting() -> None:
    """The past can be read whatever is wrong with the settings that serving needs."""
    environ = {"DATA_DIR": "/data", "DSTACK_URL": "bad"}
    assert load_history_folder(environ, {}) == Path("/data")
    assert load_history_folder(environ, {"DATA_DIR": "/other"}) == Path("/other")
    assert load_history_folder({**environ, "HISTORY": "off"}, {}) is None
