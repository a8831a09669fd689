"""READMEs, docs and the table of settings."""
