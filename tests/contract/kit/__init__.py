"""tests contract kit."""
