"""The command line. Start-up is short: each command imports what it needs when it runs."""
