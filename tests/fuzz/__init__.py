"""Many examples for a bounded time: `make fuzz`, not part of `make test`."""
