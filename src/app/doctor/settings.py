"""The check of the settings: they are loaded as the start of the service does it."""

from collections.abc import Mapping
from typing import TypeVar

from msgspec import Struct

from dstack_backend.adapters.nostr_keys import create_key
from dstack_backend.app.config import settings as config
from dstack_backend.app.doctor.dstack.response import RESPONSE_STEPS
from dstack_backend.app.doctor.finding import Finding, Step
from dstack_backend.app.errors import UserError
from dstack_backend.app.identity import node_identity

__all__ = ["LoadedSettings", "check_settings", "load_settings"]

T = TypeVar("T")

_STEPS = {
    "LISTEN_ADDR": (Step.LISTEN, Step.WORKER),
    "DSTACK_URL": (Step.CONNECTION, *RESPONSE_STEPS),
    "DSTACK_TOKEN": (Step.AUTH,),
    "DSTACK_TOKEN_FILE": (Step.AUTH,),
    "DSTACK_CA_FILE": (Step.TLS,),
    "CHECK_TIMEOUT": (Step.TIME,),
    "MIN_GPUS": (Step.INVENTORY,),
    "DATA_DIR": (Step.HISTORY,),
    "HISTORY": (Step.HISTORY,),
    "NOTIFY_URLS": (Step.NOTIFY,),
    "NOTIFY_URLS_FILE": (Step.NOTIFY,),
}
"""The steps that need a setting. Those that are not listed need none of the others."""


class LoadedSettings(Struct, frozen=True):
    """The settings, with the default of each invalid one, and the errors by variable."""

    settings: config.Settings
    dstack: config.DStackSettings
    errors: Mapping[str, UserError] = {}

    @property
    def unknown_steps(self) -> frozenset[Step]:
        """The steps that need an invalid setting."""
        return frozenset(step for each in self.errors for step in _STEPS.get(each, ()))


def load_settings(environ: Mapping[str, str], options: Mapping[str, str]) -> LoadedSettings:
    """Load all settings, and read the key file. A key file that does not exist is not created."""
    try:
        settings, dstack = config.load(environ, options), config.load_dstack(environ, options)
    except UserError as exc:
        if exc.variable not in {*environ, *options}:
            raise
        rest = [_without(exc.variable, values) for values in (environ, options)]
        loaded = load_settings(*rest)
        errors = {exc.variable: exc, **_without(exc.variable, loaded.errors)}
        return LoadedSettings(loaded.settings, loaded.dstack, errors)
    try:
        _read_key_file(settings)
    except UserError as exc:
        return LoadedSettings(settings, dstack, {"NOSTR_KEY_FILE": exc})
    return LoadedSettings(settings, dstack)


def _read_key_file(settings: config.Settings) -> None:
    file = settings.nostr_key_file
    try:
        would_create_key = settings.nostr_key_create and file and create_key(file, dry_run=True)
    except ValueError as exc:
        raise config.setting_error("NOSTR_KEY_FILE", str(exc)) from None
    if not would_create_key:
        node_identity(settings)


def _without(variable: str, values: Mapping[str, T]) -> Mapping[str, T]:
    return {name: value for name, value in values.items() if name != variable}


def check_settings(
    environ: Mapping[str, str], options: Mapping[str, str], errors: Mapping[str, UserError]
) -> Finding:
    """Return which settings are set, or those that are not valid. Values are not shown."""
    if errors:
        text = "; ".join(f"{each.subject}: {each.fault}" for each in errors.values())
        remedies = (f"set a valid value, for example {each.example}" for each in errors.values())
        return Step.SETTINGS.failed(text, *remedies)
    names = [each.variable for each in config.SETTINGS]
    given = [name for name in names if options.get(name) or environ.get(name)]
    text = f"set: {', '.join(given)}; the others" if given else "none is set: all"
    return Step.SETTINGS.ok(f"{text} have their defaults")
