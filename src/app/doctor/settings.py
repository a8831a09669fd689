"""The check of the settings: they are loaded as the start of the service does it."""

from collections.abc import Mapping

from dstack_backend.adapters.nostr_keys import would_create
from dstack_backend.app.config import settings as config
from dstack_backend.app.doctor.finding import Finding, Step
from dstack_backend.app.errors import UserError
from dstack_backend.app.identity import node_identity

__all__ = ["check_settings", "load_settings"]


def load_settings(
    environ: Mapping[str, str], options: Mapping[str, str]
) -> tuple[config.Settings, config.DStackSettings]:
    """Load all settings, and read the key file. A key file that does not exist is not created.

    Raises:
        UserError: The service would not start.
    """
    settings, dstack = config.load(environ, options), config.load_dstack(environ, options)
    file = settings.nostr_key_file
    try:
        would_create_key = settings.nostr_key_create and file and would_create(file)
    except ValueError as exc:
        raise config.setting_error("NOSTR_KEY_FILE", str(exc)) from None
    if not would_create_key:
        node_identity(settings)
    return settings, dstack


def check_settings(
    environ: Mapping[str, str], options: Mapping[str, str], error: UserError | None = None
) -> Finding:
    """Return which settings are set, or the one that is not valid. Values are not shown."""
    if error:
        remedy = f"set a valid value, for example {error.example}"
        return Step.SETTINGS.failed(f"{error.subject}: {error.fault}", remedy)
    names = [each.variable for each in config.SETTINGS]
    given = [name for name in names if options.get(name) or environ.get(name)]
    text = f"set: {', '.join(given)}; the others" if given else "none is set: all"
    return Step.SETTINGS.ok(f"{text} have their defaults")
