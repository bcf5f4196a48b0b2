"""Turning squares into circles: every mask is known, so success is counted and no network judges."""
