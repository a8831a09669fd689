"""`dstack-backend doctor`: checks everything the service depends on, step by step."""
