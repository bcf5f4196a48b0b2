"""Painting faces from line drawings: pix2pix against projections into a generator."""
