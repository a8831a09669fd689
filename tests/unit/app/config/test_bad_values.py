"""Values that are accepted, and how each bad one is refused."""

import os
from pathlib import Path

import pytest
import trustme
from hypothesis import given

from dstack_backend.app.config.settings import SETTINGS
from tests.setting_texts import setting_texts
from tests.unit.app.config.refusals import CANARY, assert_is_helpful, refused

VARIABLES = [setting.variable for setting in SETTINGS]


@pytest.mark.parametrize(
    ("variable", "text"),
    [
        *(("CHECK_INTERVAL", text) for text in ("0.1", ".5", "10.", "86400", "007")),
        *(("CHECK_TIMEOUT", text) for text in ("0.1", "2.5", "86400")),
        *(("FAILURE_THRESHOLD", text) for text in ("1", "1000")),
        *(("RECOVERY_THRESHOLD", text) for text in ("1", "1000")),
        *(("MIN_GPUS", text) for text in ("0", "1", "1000")),
        *(("HISTORY", text) for text in ("on", "OFF")),
        *(("HISTORY_RETENTION", text) for text in ("1", "3650")),
        ("DATA_DIR", "/nowhere/yet"),
        *(("LOG_LEVEL", text) for text in ("debug", "INFO", "Warning", "error")),
        *(("LOG_FORMAT", text) for text in ("text", "JSON")),
        *(("DSTACK_URL", text) for text in ("unix:/run/vmm.sock", "http://u:p@h/a")),
        ("DSTACK_TOKEN", "a!b~c"),
        *(("NOTIFY_AFTER", text) for text in ("0", "86400")),
        *(("NOTIFY_EVERY", text) for text in ("1", "86400")),
        *(("NOTIFY_LANGUAGE", text) for text in ("en", "ZH")),
        *(("NODE_NAME", text) for text in ("gpu-07 (rack 3)", "x" * 64, "\u8282\u70b9 7")),
    ],
)
def test_edge_of_a_range_and_either_case_are_accepted(variable: str, text: str) -> None:
    """The limits belong to the range."""
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
    *(("LISTEN_ADDR", text) for text in ("*", "**:80", "*.h:80", "[*]:80")),
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
    *(("MIN_GPUS", text) for text in ("-1", "1.5", "1001", "eight", "٣", "9" * 5000)),
    *(("HISTORY", text) for text in ("no", "1", "on ")),
    *(("HISTORY_RETENTION", text) for text in ("0", "-1", "1.5", "3651", "forever", "9" * 5000)),
    *(("DATA_DIR", text) for text in ("\0", "~", "~/h", "~user/h", "$HOME/h", "${HOME}/h")),
    *(("DATA_DIR", text) for text in ("/x/$USER", '/x/"h"', "/x/bob's", "/x/h # here", '"/x')),
    *(("NOSTR_KEY_FILE", text) for text in ("~/key", "$HOME/key", '/x/"key"', "/x/key #")),
    *(("DSTACK_URL", text) for text in ("unix:/x/$USER/s", 'unix:/x/"s"', 'http://h/"a"')),
    *(("DSTACK_URL", text) for text in ("unix:~/s", "http://$HOST:1", "http://u:'p'@h")),
    *(("NODE_NAME", text) for text in (" ", "a ", " a", "a\tb", "<b>", "a:b", "$HOST", "x" * 65)),
    *(("PUBKEYS", text) for text in ('"a","b"', "$KEY", "'")),
    *(("NODE_NAME", text) for text in ("a/b", "x" * 65, "<b>", "https://h", "a@b", "{x}")),
    *(("NOTIFY_URLS", text) for text in ("ntfy", f"{CANARY}", f"x://{CANARY}, {CANARY}", "://h")),
    *(("NOTIFY_URLS", text) for text in (f"x://{CANARY}\u00fc", "x://", ", x://h", "x://a b")),
    *(("NOTIFY_URLS_FILE", text) for text in ("/no/such/file", "/dev/null", "/", "\0", "~/f")),
    *(("NOTIFY_AFTER", text) for text in ("-1", "1m", "86401")),
    *(("NOTIFY_EVERY", text) for text in ("0", "0.9", "5m")),
    *(("NOTIFY_LANGUAGE", text) for text in ("de", "zh-CN")),
    *(("LOG_LEVEL", text) for text in ("loud", "10", "info ", "trace\n")),
    *(("LOG_FORMAT", text) for text in ("xml", "yes", "\x1b[31m")),
]


@pytest.mark.parametrize(("variable", "text"), BAD)
def test_bad_value_is_refused_in_one_line_with_an_example(variable: str, text: str) -> None:
    """Variable and option, the fault, and an example that is itself accepted."""
    message = refused({variable: text})
    assert message is not None
    assert message == refused({}, {variable: text})
    assert_is_helpful(message, variable)
    assert CANARY not in message


def valid_text(variable: str, folder: Path) -> str:
    """Return a valid value of a setting; that of a file exists."""
    (setting,) = (each for each in SETTINGS if each.variable == variable)
    if variable == "DSTACK_CA_FILE":
        trustme.CA().cert_pem.write_to_path(str(folder / "ca.pem"))
        return str(folder / "ca.pem")
    if variable == "DSTACK_TOKEN_FILE":
        (folder / "token").write_text("the-token")
        return str(folder / "token")
    if variable == "NOTIFY_URLS_FILE":
        (folder / "urls").write_text("json://localhost")
        return str(folder / "urls")
    return setting.example or setting.default


@pytest.mark.parametrize("variable", VARIABLES)
@pytest.mark.parametrize(
    "change", ['"{}"', "'{}'", "{}\r", "{}\n", "{}\x1b[0m", "{}\u200b", " {}", "{} ", "${{HOME}}{}"]
)
def test_what_an_env_file_keeps_literally_is_refused_by_each_setting(
    variable: str, change: str, tmp_path: Path
) -> None:
    """Env files of Docker and systemd keep quotes, carriage returns, spaces and `${NAME}`."""
    valid = valid_text(variable, tmp_path)
    assert refused({variable: valid}) is None
    message = refused({variable: change.format(valid)})
    assert message is not None
    assert message == refused({}, {variable: change.format(valid)})
    is_secret = variable.startswith(("DSTACK_TOKEN", "NOTIFY_URLS"))
    assert valid not in message.partition("; for example")[0] or not is_secret
    assert_is_helpful(message, variable)


@pytest.mark.parametrize("text", ["it's", "'", '"a', "a'", "$abc", "~abc", "a#b"])
def test_token_may_hold_quotes_and_signs_that_do_not_enclose_it(text: str) -> None:
    """It is random text."""
    assert refused({"DSTACK_TOKEN": text}) is None


@pytest.mark.parametrize("quote", "\"'")
def test_quoted_token_in_a_file_is_refused(quote: str, tmp_path: Path) -> None:
    """The file holds the token alone, with or without a line break."""
    file = tmp_path / "token"
    file.write_text(f"{quote}{CANARY}{quote}\n")
    message = refused({"DSTACK_TOKEN_FILE": str(file)})
    assert message is not None
    assert "quotes" in message
    assert CANARY not in message


@pytest.mark.parametrize("variable", VARIABLES)
@given(text=setting_texts())
def test_any_text_is_accepted_or_refused_helpfully(variable: str, text: str) -> None:
    """No value of any variable makes another exception or a message of another form."""
    message = refused({variable: text})
    if message is not None:
        assert_is_helpful(message, variable)


@pytest.mark.timeout(5)
def test_pipe_instead_of_certificates_is_refused_at_once(tmp_path: Path) -> None:
    """Opening a pipe without a writer would never end, not even for the doctor."""
    os.mkfifo(tmp_path / "pipe")
    message = refused({"DSTACK_CA_FILE": str(tmp_path / "pipe")})
    assert message is not None
    assert "DSTACK_CA_FILE (--dstack-ca-file): is not a regular file" in message
