"""`python -m dstack_backend`: the command line."""

from dstack_backend.app.cli.main import program

if __name__ == "__main__":
    program()
