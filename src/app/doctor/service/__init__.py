"""The checks of the service itself: its address, its history, its address for the worker."""
