"""src app config."""
