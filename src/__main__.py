"""`python -m dstack_backend`: the command line."""

from dstack_backend.app.cli import main

if __name__ == "__main__":
    main()
