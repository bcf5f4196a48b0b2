"""A small classifier of many attributes of a face at once: network, training, scorer."""
