"""tests unit domain gpu."""
