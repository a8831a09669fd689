"""tests contract process."""
