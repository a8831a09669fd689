"""tests unit app cli."""
