"""Building facades from their labels: pix2pix, what remains of it without its parts, and CycleGAN."""
