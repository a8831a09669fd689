"""src app server."""
