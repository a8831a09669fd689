"""The port of DStack: the adapter, the fake and the simulated DStack."""
