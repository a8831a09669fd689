"""Two backends of others, each in one file: docs/embedding.md says more."""
