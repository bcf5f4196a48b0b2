"""
Labels to facades with pix2pix
==============================

The task of the paper: from a map of walls, windows and doors to a photo.

.. image:: /images/facades.jpg
   :alt: Label maps, what pix2pix, L1 alone and retrieval make of them, and the photos

This page was not executed: the data is for you to fetch. ``facades/`` has ``train/`` and ``val/`` with pairs of
512×256 pixels, photo left and labels right, as pix2pix's authors publish them (CMP facades: for research; credit
Tyleček and Šára 2013). The run takes less than half an hour on one core: windows and balconies are where they should
be, and walls are clean and soft. The image is from ``latentlab compare facades`` with such a training, and one with L1
alone beside it. The paper's run has 256² pixels, 64 base channels, 200 epochs and a batch of 1.
"""

from pathlib import Path

import torch

import latentlab as ll
from latentlab.translation import Augmentation, Pix2Pix, Reading, Techniques, TrainingSettings, train

DATA = Path("facades")
SIZE, BASE_CHANNELS, EPOCHS = 128, 32, 30
OUT = Path("facades_training")

# sphinx_gallery_thumbnail_path = 'images/facades.jpg'

# %%
# The training
# ------------
# "BA" says that the target is on the left of a pair. Four hundred pairs are few: the discriminator sees them augmented,
# and learns at a quarter of the generator's rate, and LPIPS is used beside L1. Without LPIPS and the augmentation walls
# are sooty.

config = Pix2Pix.configure(SIZE, BASE_CHANNELS).with_techniques(
    Techniques("resize", perceptual_weight=10, diff_augment=True)
)
pairs = Pix2Pix.open_folder(DATA, "train", config, Augmentation.for_resolution(SIZE), Reading("BA")).source
held_out = Pix2Pix.open_folder(DATA, "val", config, Augmentation.none(SIZE), Reading("BA")).source
settings = TrainingSettings(EPOCHS, batch_size=4, learning_rate=4e-4, discriminator_rate=0.25, ema=0.999)
translator = train(config, pairs, settings, OUT, held_out)

# %%
# Facades that it has not seen
# ----------------------------

samples = [held_out.sample(index, None) for index in range(6)]
labels, photos = (torch.cat([sample[name] for sample in samples]) for name in ("a", "b"))
translated, _ = translator(labels)
figure = ll.grid_figure(torch.stack([labels, translated, photos]), [""] * 6, ["labels", "translated", "photo"])
ll.save_figure(figure, OUT / "translated.png")
figure
