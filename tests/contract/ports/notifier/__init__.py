"""The notifier against real servers on loopback."""
