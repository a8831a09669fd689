"""tests unit domain history."""
