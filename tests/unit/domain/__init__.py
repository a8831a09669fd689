"""tests unit domain."""
