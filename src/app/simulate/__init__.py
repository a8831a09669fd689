"""The commands `simulate` and `demo`: a simulated DStack, alone or with the service beside it."""
