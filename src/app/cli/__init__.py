"""src app cli."""
