"""What the Makefile runs beside the tools that are installed."""
