"""Messages to the operators: their text, and sending them."""
