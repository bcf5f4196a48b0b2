"""Image-to-image translators: pix2pix, CycleGAN and InstaGAN."""
