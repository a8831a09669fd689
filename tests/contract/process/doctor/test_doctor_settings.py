"""`dstack-backend doctor` with invalid settings: the steps that do not need them are tried."""

import asyncio
from pathlib import Path

import pytest
import trustme

from dstack_backend.app.config.settings import SETTINGS
from dstack_backend.app.doctor.diagnose import diagnose
from dstack_backend.app.doctor.settings import load_settings
from dstack_backend.testing.simulated_dstack import Remote, SimulatedDStack, in_thread
from tests.contract.process.certificates import server_context
from tests.contract.process.doctor.report import SECRET, result, run_doctor
from tests.contract.process.service import free_port, run_command

RESPONSE = {"http", "auth", "json", "inventory", "time", "version"}

INVALID = {
    "LISTEN_ADDR": ("8080", {"listen", "worker"}),
    "DSTACK_URL": (f"http://user:{SECRET}@host:port", {"connection", *RESPONSE}),
    "DSTACK_TOKEN": (f"{SECRET} {SECRET}", {"auth"}),
    "DSTACK_TOKEN_FILE": ("/nonexistent/token", {"auth"}),
    "DSTACK_CA_FILE": ("/nonexistent/ca", set[str]()),
    "CHECK_INTERVAL": ("0", set[str]()),
    "CHECK_TIMEOUT": ("soon", {"time"}),
    "FAILURE_THRESHOLD": ("0", set[str]()),
    "RECOVERY_THRESHOLD": ("0", set[str]()),
    "MIN_GPUS": ("all", {"inventory"}),
    "DATA_DIR": ("\0", {"history"}),
    "HISTORY": ("maybe", {"history"}),
    "HISTORY_RETENTION": ("0", set[str]()),
    "LOG_LEVEL": ("loud", set[str]()),
    "LOG_FORMAT": ("xml", set[str]()),
    "NODE_NAME": ("a/b", set[str]()),
    "NOTIFY_URLS": (f"ntfy {SECRET}", {"notify"}),
    "NOTIFY_URLS_FILE": ("/nonexistent/urls", {"notify"}),
    "NOTIFY_AFTER": ("soon", set[str]()),
    "NOTIFY_EVERY": ("0", set[str]()),
    "NOTIFY_LANGUAGE": ("de", set[str]()),
    "PUBKEYS": ("nobody", set[str]()),
    "NOSTR_KEY_FILE": ("/nonexistent/key", set[str]()),
    "NOSTR_KEY_CREATE": ("yes", set[str]()),
    "ADVERTISED_IP": ("here", set[str]()),
}
"""For each setting an invalid value, and the steps that need it."""


def test_every_setting_has_an_invalid_value_here() -> None:
    """A new setting needs one, and the steps that need it."""
    assert list(INVALID) == [each.variable for each in SETTINGS]


@pytest.mark.parametrize("variable", INVALID)
def test_invalid_setting_skips_the_steps_that_need_it(
    dstack: Remote, tmp_path: Path, variable: str
) -> None:
    """All other steps are tried. Exit code 2 as with every command."""
    value, steps = INVALID[variable]
    listen = f"127.0.0.1:{free_port()}"
    env = {"DSTACK_URL": dstack.url, "DATA_DIR": str(tmp_path), "LISTEN_ADDR": listen}
    found = asyncio.run(diagnose({**env, variable: value}, {}))
    assert found.exit_code == 2
    first, *rest = found.findings
    assert (first.step, first.verdict) == ("settings", "failed")
    assert first.text.startswith(f"{variable} (--")
    assert first.remedies[0].startswith(f"set a valid value, for example {variable}=")
    assert {each.step for each in rest if each.verdict == "skipped"} == steps
    texts = {each.text for each in rest if each.verdict == "skipped"}
    assert texts <= {"not tried: settings failed"}
    assert {each.verdict for each in rest} <= {"ok", "warning", "skipped"}
    assert SECRET not in repr(found)


def test_all_invalid_settings_are_reported() -> None:
    """The start names the first one only. Nothing is tried with a default in their place."""
    report = run_doctor(DSTACK_URL="http://host:port", LISTEN_ADDR="8080", HISTORY="no")
    remedies = report["steps"]["settings"]["remedies"]
    assert (report["exit_code"], report["dstack"]) == (2, None)
    assert [each.split()[-1].partition("=")[0] for each in remedies] == [
        "LISTEN_ADDR",
        "HISTORY",
        "DSTACK_URL",
    ]
    left = [name for name, step in report["steps"].items() if step["verdict"] != "skipped"]
    assert left == ["settings", "container", "notify"]


def test_invalid_key_file_is_reported_once() -> None:
    """Without it, NOSTR_KEY_CREATE would be invalid as well."""
    loaded = load_settings({"NOSTR_KEY_FILE": "\0", "NOSTR_KEY_CREATE": "1"}, {})
    assert loaded.errors.keys() == {"NOSTR_KEY_FILE"}
    assert "cannot be printed" in loaded.errors["NOSTR_KEY_FILE"].fault


def test_steps_keep_their_order(dstack: Remote) -> None:
    """Also those that are skipped."""
    names = list(run_doctor(DSTACK_URL=dstack.url, DSTACK_TOKEN_FILE="/nonexistent")["steps"])
    assert names == list(run_doctor(DSTACK_URL=dstack.url)["steps"])


def test_unreadable_token_is_not_called_a_wrong_token(dstack: Remote) -> None:
    """DStack requires one: the steps after it cannot be tried."""
    dstack.dstack.token = SECRET
    report = run_doctor(DSTACK_URL=dstack.url, DSTACK_TOKEN_FILE="/nonexistent")
    assert result(report, "http")[0] == "ok"
    assert {result(report, step)[0] for step in RESPONSE - {"http"}} == {"skipped"}
    assert result(report, "listen")[0] == "ok"


def test_second_token_is_the_invalid_setting_beside_a_user(dstack: Remote) -> None:
    """The address is valid."""
    url = dstack.url.replace("//", f"//user:{SECRET}@")
    report = run_doctor(DSTACK_URL=url, DSTACK_TOKEN=SECRET)
    assert report["steps"]["settings"]["text"].startswith("DSTACK_TOKEN (--dstack-token): ")
    assert result(report, "connection")[0] == "ok"
    assert result(report, "auth")[0] == "skipped"


def test_token_is_not_sent_where_the_trusted_certificates_are_unknown(
    authority: trustme.CA,
) -> None:
    """Another certificate than that of the setting could be trusted."""
    tls = server_context(authority.issue_cert("127.0.0.1"))
    with in_thread(SimulatedDStack(), tls=tls) as remote:
        report = run_doctor(DSTACK_URL=remote.url, DSTACK_CA_FILE="/nonexistent")
    assert result(report, "connection")[0] == "ok"
    assert {result(report, step)[0] for step in ("tls", *RESPONSE)} == {"skipped"}
    assert remote.dstack.calls == 0


def test_missing_key_file_is_an_invalid_setting_and_is_not_created(tmp_path: Path) -> None:
    """With NOSTR_KEY_CREATE the start would create it, and the setting is valid."""
    file = tmp_path / "key"
    assert result(run_doctor(NOSTR_KEY_FILE=str(file)), "settings")[0] == "failed"
    report = run_doctor(
        NOSTR_KEY_FILE=str(file), NOSTR_KEY_CREATE="1", DSTACK_URL="http://127.0.0.1:1"
    )
    assert result(report, "settings")[0] == "ok"
    assert not file.exists()


@pytest.mark.parametrize(
    ("path", "fault"),
    [
        ("no/key", "cannot be made (no such file or directory)"),
        ("x" * 300, "cannot be made (file name too long)"),
        ("link", "cannot be read (no such file or directory)"),
        ("file/key", "cannot be made (not a directory)"),
    ],
)
def test_key_file_that_cannot_be_created_is_an_invalid_setting(
    path: str, fault: str, tmp_path: Path
) -> None:
    """The text is that of the start."""
    (tmp_path / "file").touch()
    (tmp_path / "link").symlink_to("nowhere")
    env = {"NOSTR_KEY_FILE": str(tmp_path / path), "NOSTR_KEY_CREATE": "1"}
    settings = asyncio.run(diagnose(env, {})).findings[0]
    assert settings.verdict == "failed"
    assert settings.text == f"NOSTR_KEY_FILE (--nostr-key-file): {fault}"
    assert settings.remedies[0].startswith("set a valid value, for example NOSTR_KEY_FILE=")
    assert fault in run_command(LISTEN_ADDR=f"127.0.0.1:{free_port()}", **env).stderr
