"""What an operator can set: environment variables, each also an option of the command line.

An option beats its variable; a variable that is empty counts as not set.
"""

from collections.abc import Callable, Mapping
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from msgspec import Struct

from dstack_backend.app.config.parsers import (
    ListenAddress,
    days,
    folder,
    listen_address,
    one_of,
    optional,
    seconds,
    switch,
    threshold,
)
from dstack_backend.app.errors import UserError
from dstack_backend.domain.monitor import CheckPolicy

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
    "load_listen",
    "setting_error",
]

T = TypeVar("T")


class Setting(Struct, frozen=True):
    """One setting.

    Attributes:
        variable: The environment variable.
        default: What holds where it is not set; empty where nothing does.
        example: A right value, for the message about a wrong one.
        text: What it means, for the help.
    """

    variable: str
    default: str
    example: str
    text: str

    @property
    def option(self) -> str:
        """The option of the command line."""
        return "--" + self.variable.lower().replace("_", "-")


SETTINGS = (
    Setting("LISTEN_ADDR", "0.0.0.0:8080", "0.0.0.0:8080", "where to answer: host:port, [::]:port"),
    Setting(
        "DSTACK_URL",
        "http://localhost:19060",
        "http://localhost:19060",
        "where DStack is: http://, https://, unix:/path; user:password@ is sent as Basic",
    ),
    Setting(
        "DSTACK_TOKEN",
        "",
        "the-token",
        "bearer token for DStack; an option is seen in the process list, prefer the file",
    ),
    Setting(
        "DSTACK_TOKEN_FILE",
        "",
        "/run/secrets/dstack-token",
        "file that holds the token; read again when it changes",
    ),
    Setting(
        "DSTACK_CA_FILE",
        "",
        "/etc/ssl/certs/dstack-ca.pem",
        "certificates to trust for https://, instead of the usual public ones",
    ),
    Setting(
        "CHECK_INTERVAL", "10", "10", "seconds from the start of a check to the start of the next"
    ),
    Setting("CHECK_TIMEOUT", "5", "5", "seconds that one check may take in total"),
    Setting(
        "FAILURE_THRESHOLD", "1", "1", "failed checks in a row that turn available to unavailable"
    ),
    Setting(
        "RECOVERY_THRESHOLD", "1", "1", "good checks in a row that turn unavailable to available"
    ),
    Setting("DATA_DIR", "./data", "/var/lib/dstack-backend", "folder of the history"),
    Setting("HISTORY", "on", "off", "on, or off: the past is kept in memory only"),
    Setting("HISTORY_RETENTION", "400", "400", "days for which the history is kept"),
    Setting("LOG_LEVEL", "info", "info", "debug, info, warning or error"),
    Setting("LOG_FORMAT", "text", "json", "text or json"),
    Setting(
        "PUBKEYS",
        "",
        "79be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798",
        "public keys of the node for /health, hexadecimal or npub, with commas between them",
    ),
    Setting(
        "NOSTR_KEY_FILE",
        "",
        "/var/lib/dstack-backend/key",
        "file with the worker's secret key, whose public key is served as well; read at the start",
    ),
    Setting("NOSTR_KEY_CREATE", "0", "1", "1: make that file where it is absent; 0: do not"),
    Setting(
        "ADVERTISED_IP",
        "",
        "203.0.113.7",
        "address of the node for /health; auto: the one from which its default route starts",
    ),
)

_BY_VARIABLE = {setting.variable: setting for setting in SETTINGS}


def setting_error(variable: str, fault: str, example: str | None = None) -> UserError:
    """Return the error for a setting.

    Args:
        variable: The environment variable.
        fault: What is wrong with its value, without a secret.
        example: A valid value; by default the setting's own.
    """
    setting = _BY_VARIABLE[variable]
    valid = f"{variable}={example or setting.example}"
    return UserError(f"{variable} ({setting.option})", fault, valid)


class Settings(Struct, frozen=True, kw_only=True):
    """All settings, read and checked.

    Attributes:
        listen: Where the service answers.
        policy: Interval, timeout and thresholds.
        history_folder: Where the history is kept; `None` keeps it in memory only.
        history_retention: How long it is kept.
        log_level: The lowest level that is logged.
        log_format: `text` or `json`.
        pubkeys: Public keys that the operator named.
        nostr_key_file: Where the worker's secret key is kept.
        nostr_key_create: Whether to make that file where it is absent.
        advertised_ip: Where the node is reached: an address, `auto`, or `None`: not told.
    """

    listen: ListenAddress
    policy: CheckPolicy
    history_folder: Path | None
    history_retention: timedelta
    log_level: str
    log_format: str
    pubkeys: tuple[str, ...] = ()
    nostr_key_file: Path | None = None
    nostr_key_create: bool = False
    advertised_ip: str | None = None


class DStackSettings(Struct, frozen=True, kw_only=True):
    """How DStack is reached.

    Attributes:
        address: Where DStack listens.
        credentials: What DStack is shown; `None` where nothing is set.
        tls: Whom to trust for `https://`; `None` where DStack is reached without TLS.
    """

    address: "DStackAddress"
    credentials: "Credentials | None"
    tls: "ssl.SSLContext | None"


def load_dstack(environ: Mapping[str, str], options: Mapping[str, str]) -> DStackSettings:
    """Read the settings of DStack.

    Raises:
        UserError: One of them cannot be used.
    """
    from dstack_backend.adapters.httpx_dstack import (  # noqa: PLC0415 - slow
        parse_address,
        ssl_context,
    )

    given = _Given(environ, options)
    address = given.read("DSTACK_URL", parse_address)
    ca_file = given.read("DSTACK_CA_FILE", optional(lambda text: ssl_context(Path(text))))
    return DStackSettings(
        address=address,
        credentials=_credentials(given, address),
        tls=(ca_file or ssl_context()) if address.is_tls else None,
    )


def load(environ: Mapping[str, str], options: Mapping[str, str]) -> Settings:
    """Read all settings.

    Args:
        environ: The environment's variables.
        options: The command line's options, by the variable that each stands for.

    Raises:
        UserError: One of them cannot be used.
    """
    from dstack_backend.adapters.ip_address import advertised_address  # noqa: PLC0415 - with it
    from dstack_backend.adapters.nostr_keys import public_keys  # noqa: PLC0415 - with it

    given = _Given(environ, options)
    return Settings(
        listen=given.read("LISTEN_ADDR", listen_address),
        policy=CheckPolicy(
            interval=given.read("CHECK_INTERVAL", seconds),
            timeout=given.read("CHECK_TIMEOUT", seconds),
            failure_threshold=given.read("FAILURE_THRESHOLD", threshold),
            recovery_threshold=given.read("RECOVERY_THRESHOLD", threshold),
        ),
        history_folder=_history_folder(given),
        history_retention=given.read("HISTORY_RETENTION", days),
        log_level=given.read("LOG_LEVEL", one_of("debug", "info", "warning", "error")),
        log_format=given.read("LOG_FORMAT", one_of("text", "json")),
        pubkeys=given.read("PUBKEYS", public_keys),
        nostr_key_file=given.read("NOSTR_KEY_FILE", optional(Path)),
        nostr_key_create=given.read("NOSTR_KEY_CREATE", switch("1", "0")),
        advertised_ip=given.read("ADVERTISED_IP", optional(advertised_address)),
    )


def load_listen(environ: Mapping[str, str], options: Mapping[str, str]) -> ListenAddress:
    """Read only where the service answers.

    Raises:
        UserError: It cannot be used.
    """
    return _Given(environ, options).read("LISTEN_ADDR", listen_address)


def load_history_folder(environ: Mapping[str, str], options: Mapping[str, str]) -> Path | None:
    """Read only where the history is kept; `None`: in memory only.

    Raises:
        UserError: It cannot be used.
    """
    return _history_folder(_Given(environ, options))


class _Given:
    """What the operator gave, before it is understood."""

    def __init__(self, environ: Mapping[str, str], options: Mapping[str, str]) -> None:
        self._environ = environ
        self._options = options

    def read(self, variable: str, parse: Callable[[str], T]) -> T:
        text = self._options.get(variable) or self._environ.get(variable)
        try:
            return parse(text or _BY_VARIABLE[variable].default)
        except ValueError as exc:
            raise setting_error(variable, str(exc)) from None


def _history_folder(given: _Given) -> Path | None:
    folder_given = given.read("DATA_DIR", folder)
    return folder_given if given.read("HISTORY", switch("on", "off")) else None


def _credentials(given: _Given, dstack: "DStackAddress") -> "Credentials | None":
    from dstack_backend.adapters.httpx_dstack import (  # noqa: PLC0415 - slow
        Bearer,
        TokenFile,
        usable_token,
    )

    token = given.read("DSTACK_TOKEN", optional(lambda text: Bearer(usable_token(text))))
    token_file = given.read("DSTACK_TOKEN_FILE", optional(lambda text: TokenFile(Path(text))))
    if token and token_file:
        raise setting_error("DSTACK_TOKEN_FILE", "DSTACK_TOKEN is set as well; keep one of the two")
    if dstack.login and (token or token_file):
        raise setting_error(
            "DSTACK_URL", "it holds a user, and a token is set as well; keep one of the two"
        )
    return token or token_file or dstack.login
