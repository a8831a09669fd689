"""The contract suites themselves."""
