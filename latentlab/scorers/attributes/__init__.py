"""A small classifier of many attributes of a face at once: the network, its training, what it scores."""
