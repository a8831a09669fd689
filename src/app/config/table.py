"""The table of settings: loading, `--help` and the table in the README come from it.

Each setting is an environment variable and an option. An option beats its variable; an empty
variable counts as not set. A setting is a named tuple: see `cli.command`.
"""

from collections.abc import Callable, Mapping
from typing import Any, Generic, NamedTuple, TypeVar

from dstack_backend.app.config import parsers as p
from dstack_backend.app.config.notify_urls import parse_urls, parse_urls_file
from dstack_backend.app.errors import UserError

__all__ = ["SETTINGS", "Setting", "read_setting", "setting_error"]

T = TypeVar("T")


class Setting(NamedTuple, Generic[T]):
    """One setting.

    Attributes:
        metavar: Placeholder for the value in `--help`.
        default: The default; empty for none.
        parse: Returns the value of a text, or raises `ValueError`.
        help: What it means, in Markdown.
        example: A valid value, where there is no default to show.
    """

    variable: str
    metavar: str
    default: str
    parse: Callable[[str], T]
    help: str
    example: str = ""

    @property
    def option(self) -> str:
        """The option of the command line."""
        return "--" + self.variable.lower().replace("_", "-")


# A table, two or three lines for each setting.
# fmt: off
LISTEN_ADDR = Setting("LISTEN_ADDR", "ADDR", "*:8080", p.parse_host_port,
    "address to listen on: `host:port` or `[IPv6]:port`; `*` is every IPv4 and IPv6 address")
DSTACK_URL = Setting("DSTACK_URL", "URL", "http://localhost:19060", p.parse_dstack_url,
    "`http://`, `https://` or `unix:/path`; `user:password@` is sent as Basic")
DSTACK_TOKEN = Setting("DSTACK_TOKEN", "TEXT", "", p.parse_optional(p.parse_token),
    "bearer token for DStack; the file is safer",
    "the-token")
DSTACK_TOKEN_FILE = Setting("DSTACK_TOKEN_FILE", "FILE", "", p.parse_optional(p.parse_token_file),
    "file with the token; read again when it changes", "/run/secrets/dstack-token")
DSTACK_CA_FILE = Setting("DSTACK_CA_FILE", "FILE", "", p.parse_optional(p.parse_ca_file),
    "the only certificates (PEM) to trust for `https://`",
    "/etc/ssl/certs/dstack-ca.pem")
CHECK_INTERVAL = Setting("CHECK_INTERVAL", "SECONDS", "10", p.parse_seconds(0.1),
    "seconds between starts of checks")
CHECK_TIMEOUT = Setting("CHECK_TIMEOUT", "SECONDS", "5", p.parse_seconds(0.1),
    "seconds that a check may take")
FAILURE_THRESHOLD = Setting("FAILURE_THRESHOLD", "N", "1", p.parse_count(1, 1000),
    "failures in a row until unavailable")
RECOVERY_THRESHOLD = Setting("RECOVERY_THRESHOLD", "N", "1", p.parse_count(1, 1000),
    "successes in a row until available")
MIN_GPUS = Setting("MIN_GPUS", "N", "0", p.parse_count(0, 1000),
    "unavailable with fewer GPUs listed")
DATA_DIR = Setting("DATA_DIR", "DIR", "./data", p.parse_path,
    "history folder; image: `/data`")
HISTORY = Setting("HISTORY", "on|off", "on", p.parse_one_of("on", "off"),
    "`off` keeps the history in memory only")
HISTORY_RETENTION = Setting("HISTORY_RETENTION", "DAYS", "400", p.parse_count(1, 3650),
    "days for which the history is kept")
LOG_LEVEL = Setting("LOG_LEVEL", "LEVEL", "info",
    p.parse_one_of("debug", "info", "warning", "error"),
    "`debug`, `info`, `warning` or `error`")
LOG_FORMAT = Setting("LOG_FORMAT", "FORMAT", "text", p.parse_one_of("text", "json"),
    "`text` or `json`; `json` in the image")
NODE_NAME = Setting("NODE_NAME", "NAME", "", p.parse_name,
    "name of the node for people; default: host name", "gpu-07")
NOTIFY_URLS = Setting("NOTIFY_URLS", "URLS", "", parse_urls,
    "Apprise URLs, with spaces or commas between them", "ntfys://ntfy.sh/my-secret-topic")
NOTIFY_URLS_FILE = Setting("NOTIFY_URLS_FILE", "FILE", "", p.parse_optional(parse_urls_file),
    "file with these URLs, one in each line; safer", "/run/secrets/notify-urls")
NOTIFY_AFTER = Setting("NOTIFY_AFTER", "SECONDS", "60", p.parse_seconds(0),
    "seconds unavailable before a message")
NOTIFY_EVERY = Setting("NOTIFY_EVERY", "SECONDS", "300", p.parse_seconds(1),
    "seconds between two messages")
NOTIFY_LANGUAGE = Setting("NOTIFY_LANGUAGE", "en|zh", "en", p.parse_one_of("en", "zh"),
    "language of the messages")
PUBKEYS = Setting("PUBKEYS", "KEYS", "", p.parse_pubkeys,
    "public keys, hexadecimal or `npub`, with commas",
    "79be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798")
NOSTR_KEY_FILE = Setting("NOSTR_KEY_FILE", "FILE", "", p.parse_optional(p.parse_path),
    "Nostr secret key; its public key is published",
    "/var/lib/dstack-backend/key")
NOSTR_KEY_CREATE = Setting("NOSTR_KEY_CREATE", "0|1", "0", p.parse_one_of("1", "0"),
    "`1` creates that file if missing")
ADVERTISED_IP = Setting("ADVERTISED_IP", "IP", "", p.parse_optional(p.parse_advertised_ip),
    "published address; `auto`: that of the default route", "203.0.113.7")
# fmt: on

SETTINGS: tuple[Setting[Any], ...] = tuple(
    each for each in list(globals().values()) if each.__class__ is Setting
)
"""All of the above, in their order."""


def read_setting(setting: Setting[T], environ: Mapping[str, str], options: Mapping[str, str]) -> T:
    """Return the value of one setting. The keys of `options` are variables.

    Raises:
        UserError: The value cannot be used.
    """
    text = options.get(setting.variable) or environ.get(setting.variable) or setting.default
    try:
        p.check_text(text)
        return setting.parse(text)
    except ValueError as exc:
        raise setting_error(setting.variable, str(exc)) from None


def setting_error(variable: str, fault: str, example: str = "") -> UserError:
    """Return the error for a setting. `fault` contains no secret."""
    (setting,) = (each for each in SETTINGS if each.variable == variable)
    valid = example or setting.example or setting.default
    subject = f"{variable} ({setting.option})"
    return UserError(subject, fault, f"{variable}={valid}", variable=variable)
