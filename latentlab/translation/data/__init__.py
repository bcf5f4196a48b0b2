"""Training data of the translators: folders of images, sources of samples, augmentation."""
