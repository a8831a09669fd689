"""Runs the service: the HTTP server, its lifespan, and the process."""
