"""Makers of training sets for translators."""
