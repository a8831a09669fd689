"""Exit with one line where this Python is too old, before anything is installed."""

import sys

if sys.version_info < (3, 11):  # noqa: UP036 - this file is run by whatever python3 is there
    sys.exit("Python 3.11 or newer is needed; for example: make PYTHON=python3.13 ...")
