"""The error that reaches the user: a setting, an option or an environment that cannot be used."""

__all__ = ["UserError", "missing_extra"]

_SERVER = (
    *("anyio", "dependency_injector", "granian", "httpcore", "httpx", "jinja2", "litestar"),
    *("markupsafe", "prometheus_client", "rich", "shtab", "uvloop"),
)
_EXTRAS = {**dict.fromkeys(_SERVER, "server"), "apprise": "notify", "nostr_sdk": "nostr"}
"""The extra that installs each module which the code imports."""


class UserError(Exception):
    """Something that the user has to change. Its text is one line without a secret.

    Attributes:
        subject: What is wrong: a setting, an option, a command.
        fault: What is wrong with it.
        example: A valid value; `None` where there is none to show.
        exit_code: Exit code of the command.
        variable: The setting at fault, if it is one.
    """

    def __init__(
        self,
        subject: str,
        fault: str,
        example: str | None = None,
        *,
        exit_code: int = 2,
        variable: str | None = None,
    ) -> None:
        """Store the parts of the text."""
        self.subject = subject
        self.fault = fault
        self.example = example
        self.exit_code = exit_code
        self.variable = variable
        hint = f"; for example {example}" if example else ""
        super().__init__(f"{subject}: {fault}{hint}" if subject else f"{fault}{hint}")


def missing_extra(exc: ModuleNotFoundError, subject: str) -> UserError | None:
    """Return the error for a module that an extra installs; `None` for any other module."""
    extra = _EXTRAS.get((exc.name or "").partition(".")[0])
    if extra is None:
        return None
    fault = f"needs the extra {extra}; run: pip install 'dstack-backend[{extra}]'"
    return UserError(subject, fault)
