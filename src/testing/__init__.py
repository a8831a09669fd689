"""What others test with: a simulated DStack, fakes of the ports, strategies, contract suites.

Nothing of it is imported by the service itself, but for its commands `demo` and
`simulate`. `strategies` and `contracts` need the extra `dstack-backend[testing]`.
"""
