"""The table of settings: loading, `--help` and the table in the README come from it.

Each setting is an environment variable and an option. An option beats its variable; an empty
variable counts as not set. A setting is a named tuple: see `cli.command`.
"""

from collections.abc import Callable, Mapping
from typing import Any, Generic, NamedTuple, TypeVar

from dstack_backend.app.config import parsers as p
from dstack_backend.app.errors import UserError

__all__ = ["SETTINGS", "Setting", "read_setting", "setting_error"]

T = TypeVar("T")


class Setting(NamedTuple, Generic[T]):
    """One setting.

    Attributes:
        variable: The environment variable.
        metavar: What stands for the value in `--help`.
        default: What holds where it is not set; empty where nothing does.
        help: What it means, in Markdown.
        parse: Returns the value of a text, or raises `ValueError`.
        example: A valid value, where there is no default to show.
    """

    variable: str
    metavar: str
    default: str
    help: str
    parse: Callable[[str], T]
    example: str = ""

    @property
    def option(self) -> str:
        """The option of the command line."""
        return "--" + self.variable.lower().replace("_", "-")


LISTEN_ADDR = Setting(
    "LISTEN_ADDR",
    "ADDR",
    "0.0.0.0:8080",
    "address to listen on: `host:port` or `[IPv6]:port`",
    p.parse_host_port,
)
DSTACK_URL = Setting(
    "DSTACK_URL",
    "URL",
    "http://localhost:19060",
    "address of DStack: `http://`, `https://` or `unix:/path`; `user:password@` is sent as Basic",
    p.parse_dstack_url,
)
DSTACK_TOKEN = Setting(
    "DSTACK_TOKEN",
    "TEXT",
    "",
    "bearer token for DStack; visible in the process list as an option, prefer the file",
    p.parse_optional(p.parse_token),
    "the-token",
)
DSTACK_TOKEN_FILE = Setting(
    "DSTACK_TOKEN_FILE",
    "FILE",
    "",
    "file with the token; read again when it changes",
    p.parse_optional(p.parse_token_file),
    "/run/secrets/dstack-token",
)
DSTACK_CA_FILE = Setting(
    "DSTACK_CA_FILE",
    "FILE",
    "",
    "certificates (PEM) to trust for `https://`, instead of the public ones",
    p.parse_optional(p.parse_ca_file),
    "/etc/ssl/certs/dstack-ca.pem",
)
CHECK_INTERVAL = Setting(
    "CHECK_INTERVAL", "SECONDS", "10", "seconds between starts of checks", p.parse_seconds
)
CHECK_TIMEOUT = Setting(
    "CHECK_TIMEOUT", "SECONDS", "5", "seconds that a check may take", p.parse_seconds
)
FAILURE_THRESHOLD = Setting(
    "FAILURE_THRESHOLD", "N", "1", "failures in a row until unavailable", p.parse_threshold
)
RECOVERY_THRESHOLD = Setting(
    "RECOVERY_THRESHOLD", "N", "1", "successes in a row until available", p.parse_threshold
)
DATA_DIR = Setting(
    "DATA_DIR", "DIR", "./data", "folder of the history; `/data` in the image", p.parse_path
)
HISTORY = Setting(
    "HISTORY", "on|off", "on", "`off` keeps the history in memory only", p.parse_switch("on", "off")
)
HISTORY_RETENTION = Setting(
    "HISTORY_RETENTION", "DAYS", "400", "days for which the history is kept", p.parse_days
)
LOG_LEVEL = Setting(
    "LOG_LEVEL",
    "LEVEL",
    "info",
    "`debug`, `info`, `warning` or `error`",
    p.parse_one_of("debug", "info", "warning", "error"),
)
LOG_FORMAT = Setting(
    "LOG_FORMAT",
    "FORMAT",
    "text",
    "`text` or `json`; `json` in the image",
    p.parse_one_of("text", "json"),
)
PUBKEYS = Setting(
    "PUBKEYS",
    "KEYS",
    "",
    "public keys of the node, hexadecimal or `npub`, separated by commas",
    p.parse_pubkeys,
    "79be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798",
)
NOSTR_KEY_FILE = Setting(
    "NOSTR_KEY_FILE",
    "FILE",
    "",
    "file with the worker's Nostr secret key; its public key is published",
    p.parse_optional(p.parse_path),
    "/var/lib/dstack-backend/key",
)
NOSTR_KEY_CREATE = Setting(
    "NOSTR_KEY_CREATE",
    "0|1",
    "0",
    "`1` creates that file if missing",
    p.parse_switch("1", "0"),
)
ADVERTISED_IP = Setting(
    "ADVERTISED_IP",
    "IP",
    "",
    "published address of the node; `auto` uses that of the default route",
    p.parse_optional(p.parse_advertised_ip),
    "203.0.113.7",
)

SETTINGS: tuple[Setting[Any], ...] = tuple(
    each for each in list(globals().values()) if each.__class__ is Setting
)
"""All of the above, in their order."""

_BY_VARIABLE = {setting.variable: setting for setting in SETTINGS}


def read_setting(setting: Setting[T], environ: Mapping[str, str], options: Mapping[str, str]) -> T:
    """Return the value of one setting.

    Args:
        setting: The setting.
        environ: The environment's variables.
        options: The command line's options, by the variable of each.

    Raises:
        UserError: The value cannot be used.
    """
    text = options.get(setting.variable) or environ.get(setting.variable) or setting.default
    try:
        return setting.parse(text)
    except ValueError as exc:
        raise setting_error(setting.variable, str(exc)) from None


def setting_error(variable: str, fault: str, example: str = "") -> UserError:
    """Return the error for a setting.

    Args:
        variable: The environment variable.
        fault: What is wrong with its value, without a secret.
        example: A valid value; by default the setting's own.
    """
    setting = _BY_VARIABLE[variable]
    valid = example or setting.example or setting.default
    return UserError(f"{variable} ({setting.option})", fault, f"{variable}={valid}")
