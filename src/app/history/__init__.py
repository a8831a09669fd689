"""Keeps the history in memory, and saves it to a store in a thread of its own."""
