"""How the world is reached: one room for each technology. Knows the domain, never the app."""
