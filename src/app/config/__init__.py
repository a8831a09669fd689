"""The settings: their table, their parsers, and the values that are loaded from them."""
