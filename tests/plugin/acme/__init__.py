"""A package of somebody else's that adds one of everything to latentlab: see `entry_points.txt` beside it."""
