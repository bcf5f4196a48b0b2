"""
Squares to circles with InstaGAN
================================

The data are two sets of scenes without pairs, with a mask for each shape. All masks are known here, so success shows
at once; ``latentlab compare shapes`` counts it.

.. image:: /images/shapes.jpg
   :alt: Scenes with squares, and what two methods make of them

This page was not executed: the run takes ten minutes on two cores, after which most squares come out round, and
blurred. The image is from ``latentlab compare shapes --epoch-scale 4``, after four times as many samples.
"""

from pathlib import Path

import torch

import latentlab as ll
from latentlab.datasets import make_shapes
from latentlab.translation import Augmentation, InstaGAN, TrainingSettings, train

SCENES, SIZE, BASE_CHANNELS, EPOCHS = 200, 64, 16, 4
OUT = Path("shapes_instagan")

# sphinx_gallery_thumbnail_path = 'images/shapes.jpg'

# %%
# The training set
# ----------------
# ``trainA/`` and ``trainB/`` hold the scenes, ``trainA_seg/`` and ``trainB_seg/`` a mask for each shape.

make_shapes(SCENES, OUT / "scenes", SIZE)

# %%
# The training
# ------------
# InstaGAN translates one instance after another, and holds on to everything outside the masks.

config = InstaGAN.configure(SIZE, BASE_CHANNELS)
scenes = InstaGAN.open_folder(OUT / "scenes", "train", config, Augmentation.for_resolution(SIZE)).source
held_out = InstaGAN.open_folder(OUT / "scenes", "test", config, Augmentation.none(SIZE)).source
translator = train(config, scenes, TrainingSettings(EPOCHS), OUT / "training", held_out)

# %%
# Scenes that it has not seen
# ---------------------------

rows = []
for sample in (held_out.sample(index, None) for index in range(6)):
    made, made_masks = translator(sample["a"], masks=sample["a_masks"])
    of_masks = [masks.amax(dim=1, keepdim=True).expand(-1, 3, -1, -1) for masks in (sample["a_masks"], made_masks)]
    rows.append(torch.cat([sample["a"], of_masks[0], made, of_masks[1]]))
figure = ll.grid_figure(torch.stack(rows), ["squares", "masks", "translated", "masks"], [""] * len(rows))
ll.save_figure(figure, OUT / "translated.png")
figure
