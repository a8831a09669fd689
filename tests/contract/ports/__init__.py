"""tests contract ports."""
