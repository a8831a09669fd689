"""The monitor, its supervision, and its wake-ups."""
