"""The program `dstack-backend`, and `python -m dstack_backend`."""

from dstack_backend.app.cli.signals import exit_on_signals


def main() -> None:
    """Run the command line. Signals are handled first: importing the rest takes some time."""
    exit_on_signals()
    from dstack_backend.app.cli.main import program  # noqa: PLC0415 - see above

    program()


if __name__ == "__main__":
    main()
