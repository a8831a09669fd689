"""The command `status`: what running services say."""
