"""The error that reaches a person: a setting, an option or an environment that cannot be used."""

__all__ = ["UserError"]


class UserError(Exception):
    """Something that the user has to change. Its text is one line that says what to do.

    Attributes:
        subject: What is wrong: a setting, an option, a command.
        fault: What is wrong with it, without a secret.
        example: A valid value; `None` where there is none to show.
        exit_code: The exit code of the process.
    """

    def __init__(
        self, subject: str, fault: str, example: str | None = None, *, exit_code: int = 2
    ) -> None:
        """Store the parts of the text."""
        self.subject = subject
        self.fault = fault
        self.example = example
        self.exit_code = exit_code
        hint = f"; for example {example}" if example else ""
        super().__init__(f"{subject}: {fault}{hint}" if subject else f"{fault}{hint}")
