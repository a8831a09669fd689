"""The settings as values, loaded from the environment and the command line.

`load` reads what every backend needs, `load_dstack` what only one beside DStack needs. The table of
all settings is in `config.table`.
"""

from collections.abc import Callable, Mapping
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from msgspec import Struct

from dstack_backend.app.config import table as t
from dstack_backend.app.config.notify_urls import NotifyUrls
from dstack_backend.app.config.parsers import ListenAddress
from dstack_backend.app.config.table import SETTINGS, Setting, read_setting, setting_error
from dstack_backend.domain.monitor import CheckPolicy
from dstack_backend.domain.notification import NotifyPolicy

if TYPE_CHECKING:
    import ssl

    from dstack_backend.adapters.httpx_dstack import Credentials, DStackAddress

__all__ = [
    "SETTINGS",
    "DStackSettings",
    "ListenAddress",
    "Setting",
    "Settings",
    "load",
    "load_dstack",
    "load_history_folder",
    "setting_error",
]

T = TypeVar("T")


class Settings(Struct, frozen=True, kw_only=True):
    """The settings that every backend has.

    Attributes:
        listen: Where the service listens.
        policy: Thresholds and times of the checks.
        history_retention: How long entries are kept.
        log_level: `debug`, `info`, `warning` or `error`.
        log_format: `text` or `json`.
        pubkeys: Public keys of the node, in hexadecimal.
        nostr_key_file: File with the secret key; its public key is published.
        nostr_key_create: Whether that file is created where it is missing.
        node_name: Name of the node for people; empty for the host name.
        history_folder: Where the history is kept; `None` keeps it in memory only.
        advertised_ip: Address of the node: an address, `auto`, or `None` to publish none.
        notify_urls: Addresses that get messages.
        notify_policy: When they get them.
        notify_language: `en` or `zh`.
    """

    listen: ListenAddress
    policy: CheckPolicy
    history_folder: Path | None
    history_retention: timedelta
    log_level: str
    log_format: str
    node_name: str = ""
    pubkeys: tuple[str, ...] = ()
    nostr_key_file: Path | None = None
    nostr_key_create: bool = False
    advertised_ip: str | None = None
    notify_urls: NotifyUrls = NotifyUrls()
    notify_policy: NotifyPolicy = NotifyPolicy()
    notify_language: str = "en"


class DStackSettings(Struct, frozen=True, kw_only=True):
    """How DStack is reached. `tls` returns the TLS context; `None` without `https://`."""

    address: "DStackAddress"
    credentials: "Credentials | None"
    tls: "Callable[[], ssl.SSLContext] | None"


def load(environ: Mapping[str, str], options: Mapping[str, str]) -> Settings:
    """Return the settings that every backend has. Those of DStack are not read.

    Args:
        environ: Values by the name of the variable, such as `os.environ`.
        options: Values by the name of the variable, too. They take precedence.

    Raises:
        UserError: One of them cannot be used.
    """

    def read(setting: Setting[T]) -> T:
        return read_setting(setting, environ, options)

    return Settings(
        listen=read(t.LISTEN_ADDR),
        policy=CheckPolicy(
            interval=read(t.CHECK_INTERVAL),
            timeout=read(t.CHECK_TIMEOUT),
            failure_threshold=read(t.FAILURE_THRESHOLD),
            recovery_threshold=read(t.RECOVERY_THRESHOLD),
            min_gpus=read(t.MIN_GPUS),
        ),
        history_folder=load_history_folder(environ, options),
        history_retention=timedelta(days=read(t.HISTORY_RETENTION)),
        log_level=read(t.LOG_LEVEL),
        log_format=read(t.LOG_FORMAT),
        node_name=read(t.NODE_NAME),
        pubkeys=read(t.PUBKEYS),
        nostr_key_file=read(t.NOSTR_KEY_FILE),
        nostr_key_create=read(t.NOSTR_KEY_CREATE) == "1",
        advertised_ip=read(t.ADVERTISED_IP),
        notify_urls=_load_notify_urls(environ, options),
        notify_policy=NotifyPolicy(after=read(t.NOTIFY_AFTER), every=read(t.NOTIFY_EVERY)),
        notify_language=read(t.NOTIFY_LANGUAGE),
    )


def _load_notify_urls(environ: Mapping[str, str], options: Mapping[str, str]) -> NotifyUrls:
    given = read_setting(t.NOTIFY_URLS, environ, options)
    file = read_setting(t.NOTIFY_URLS_FILE, environ, options)
    if given.urls and file:
        fault = "NOTIFY_URLS is set as well; keep one of the two"
        raise setting_error("NOTIFY_URLS_FILE", fault)
    return file or given


def load_history_folder(environ: Mapping[str, str], options: Mapping[str, str]) -> Path | None:
    """Return where the history is kept; `None` keeps it in memory only.

    Raises:
        UserError: One of the two settings cannot be used.
    """
    folder = read_setting(t.DATA_DIR, environ, options)
    return folder if read_setting(t.HISTORY, environ, options) == "on" else None


def load_dstack(environ: Mapping[str, str], options: Mapping[str, str]) -> DStackSettings:
    """Return the settings of DStack.

    Raises:
        UserError: One of them cannot be used, or two of them contradict each other.
    """
    from dstack_backend.adapters.httpx_dstack import ssl_contexts  # noqa: PLC0415 - slow

    address = read_setting(t.DSTACK_URL, environ, options)
    ca_file = read_setting(t.DSTACK_CA_FILE, environ, options)
    token = read_setting(t.DSTACK_TOKEN, environ, options)
    token_file = read_setting(t.DSTACK_TOKEN_FILE, environ, options)
    if token and token_file:
        fault = "DSTACK_TOKEN is set as well; keep one of the two"
        raise setting_error("DSTACK_TOKEN_FILE", fault)
    if address.login and (token or token_file):
        fault = "DSTACK_URL has a user as well; keep one of the two"
        raise setting_error("DSTACK_TOKEN" if token else "DSTACK_TOKEN_FILE", fault)
    try:
        tls = (ca_file or ssl_contexts()) if address.is_tls else None
    except ValueError as exc:
        raise setting_error("DSTACK_URL", str(exc)) from None
    credentials = token or token_file or address.login
    return DStackSettings(address=address, credentials=credentials, tls=tls)
