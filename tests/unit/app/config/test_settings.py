"""The settings: names, defaults, precedence, and what is read by whom."""

from datetime import timedelta
from pathlib import Path

import pytest

from dstack_backend.app.config.settings import (
    SETTINGS,
    ListenAddress,
    load,
    load_history_folder,
)
from dstack_backend.app.config.table import LISTEN_ADDR, Setting, read_setting, setting_error
from dstack_backend.app.errors import UserError
from dstack_backend.domain import CheckPolicy
from tests.unit.app.config.refusals import refused


def test_settings_have_the_names_and_defaults_of_the_contract() -> None:
    """Operators rely on them."""
    assert {setting.variable: setting.default for setting in SETTINGS} == {
        "LISTEN_ADDR": "*:8080",
        "DSTACK_URL": "http://localhost:19060",
        "DSTACK_TOKEN": "",
        "DSTACK_TOKEN_FILE": "",
        "DSTACK_CA_FILE": "",
        "CHECK_INTERVAL": "10",
        "CHECK_TIMEOUT": "5",
        "FAILURE_THRESHOLD": "1",
        "RECOVERY_THRESHOLD": "1",
        "MIN_GPUS": "0",
        "DATA_DIR": "./data",
        "HISTORY": "on",
        "HISTORY_RETENTION": "400",
        "LOG_LEVEL": "info",
        "LOG_FORMAT": "text",
        "NODE_NAME": "",
        "PUBKEYS": "",
        "NOSTR_KEY_FILE": "",
        "NOSTR_KEY_CREATE": "0",
        "ADVERTISED_IP": "",
    }


def test_defaults_of_an_empty_environment() -> None:
    """An empty environment starts the service."""
    settings = load({}, {})
    assert settings.listen == ListenAddress("*", 8080)
    assert settings.policy == CheckPolicy()
    assert settings.history_folder == Path("data")
    assert settings.history_retention == timedelta(days=400)
    assert (settings.log_level, settings.log_format) == ("info", "text")
    assert (settings.pubkeys, settings.nostr_key_file, settings.nostr_key_create) == (
        (),
        None,
        False,
    )
    assert settings.advertised_ip is None


@pytest.mark.parametrize("setting", SETTINGS, ids=lambda setting: setting.variable)
def test_each_default_and_each_example_is_valid(setting: Setting[object]) -> None:
    """A setting without a default has an example. An example of a file need not exist here."""
    setting.parse(setting.default)
    assert setting.default or setting.example
    if setting.example and not setting.variable.endswith("_FILE"):
        setting.parse(setting.example)


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
def test_option_beats_variable_and_empty_is_not_set(
    environ: dict[str, str], options: dict[str, str], interval: float
) -> None:
    """Compose files pass empty variables for what is not set."""
    assert load(environ, options).policy.interval == interval


def test_setting_error_has_subject_fault_and_example() -> None:
    """A program reads the parts; a person reads the line."""
    error = setting_error("LISTEN_ADDR", "cannot listen", "0.0.0.0:8081")
    assert error.subject == "LISTEN_ADDR (--listen-addr)"
    assert error.fault == "cannot listen"
    assert error.example == "LISTEN_ADDR=0.0.0.0:8081"
    assert error.exit_code == 2
    assert setting_error("LOG_LEVEL", "x").example == "LOG_LEVEL=info"
    assert setting_error("ADVERTISED_IP", "x").example == "ADVERTISED_IP=203.0.113.7"


def test_load_does_not_read_the_settings_of_dstack() -> None:
    """An embedding backend is not ended by a variable of a DStack that it does not have."""
    environ = {"DSTACK_URL": "bad", "DSTACK_TOKEN": " ", "DSTACK_CA_FILE": "/no/such/file"}
    assert load(environ, {}) == load({}, {})
    assert refused(environ) is not None


@pytest.mark.parametrize("text", ["8080", "h:0", "[::1%\n]:8", "a..b:1", f"{'a' * 64}:1"])
def test_single_setting_is_refused_as_by_load(text: str) -> None:
    """`healthcheck` reads only where the service listens, by the same rule."""
    environ = {"LISTEN_ADDR": text, "DSTACK_URL": "bad"}
    with pytest.raises(UserError, match=r"^LISTEN_ADDR \(--listen-addr\): ") as caught:
        read_setting(LISTEN_ADDR, environ, {})
    assert str(caught.value) == refused({"LISTEN_ADDR": text})


def test_history_folder_needs_no_other_setting() -> None:
    """The history can be read whatever is wrong with the settings of the service."""
    environ = {"DATA_DIR": "/data", "DSTACK_URL": "bad", "LISTEN_ADDR": "bad"}
    assert load_history_folder(environ, {}) == Path("/data")
    assert load_history_folder(environ, {"DATA_DIR": "/other"}) == Path("/other")
    assert load_history_folder({**environ, "HISTORY": "off"}, {}) is None
