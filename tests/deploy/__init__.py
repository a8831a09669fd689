"""Tests of what stands in deploy/, with the programs that will read it; `make deploy-check`."""
