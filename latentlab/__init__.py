"""Look into StyleGAN2's latent space, edit faces in it, and measure how well that did."""

__version__ = "0.1.0"
