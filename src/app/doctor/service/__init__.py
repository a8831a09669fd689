"""The checks of the service itself: address, history, messages, and the address for the worker."""
