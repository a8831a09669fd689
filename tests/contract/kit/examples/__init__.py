"""The examples, as programs and under the contract suites."""
