"""The checks of the way to DStack, from the socket or the name to the inventory."""
