"""The simulated DStack on the command line: for trials, and for tests of other programs."""

from dstack_backend.app.simulate.command import run
from dstack_backend.app.simulate.options import OptionError

__all__ = ["OptionError", "run"]
