"""The test kit: fakes of the ports, a simulated DStack, strategies and contract suites.

The service imports nothing of it but the simulated DStack of its commands `demo` and `simulate`.
`strategies` and `contracts` need the extra `dstack-backend[testing]`.
"""
