"""
Drawings to faces with pix2pix
==============================

Make drawings of generated faces, and train a network to paint faces from drawings. On the command line this is
``latentlab translate make drawings``, ``latentlab translate train pix2pix`` and ``latentlab translate apply``.

.. image:: /images/edges_to_face.jpg
   :alt: Eight drawings, what the network paints from them, and the faces that were drawn

This page was not executed: the training takes an hour on one core with AMX. The image is from such a run: its eight
held-out drawings, what the network paints from them, and the faces that were drawn.
"""

from pathlib import Path

import torch

import latentlab as ll
from latentlab.datasets import generated_images, make_drawings
from latentlab.rendering import Renderer
from latentlab.translation import Augmentation, Pix2Pix, Techniques, TrainingSettings, train

FACES, SIZE, BASE_CHANNELS, EPOCHS = 2228, 128, 32, 20
OUT = Path("edges_to_face")

# sphinx_gallery_thumbnail_path = 'images/edges_to_face.jpg'

# %%
# The training set
# ----------------
# The pairs are side by side in ``train/`` and ``test/``, as in the published code. The generator's previews are enough.

generator = ll.load_generator("mobile-ffhq")
faces = generated_images(Renderer(generator, generator.resolutions[0]), range(600, 600 + FACES))
make_drawings(faces, OUT / "pairs", SIZE, held_out=0.058)

# %%
# The training
# ------------
# Three things here are not in the paper: decoders that resize and convolve leave no checkerboards, LPIPS beside L1
# shows the network what a face is made of sooner than the discriminator does, and averaging the weights steadies what
# is painted. The paper's run is 200 epochs with 64 base channels. A stopped training resumes where it was.

config = Pix2Pix.configure(SIZE, BASE_CHANNELS).with_techniques(Techniques("resize", perceptual_weight=40))
pairs = Pix2Pix.open_folder(OUT / "pairs", "train", config, Augmentation.for_resolution(SIZE)).source
held_out = Pix2Pix.open_folder(OUT / "pairs", "test", config, Augmentation.none(SIZE)).source
settings = TrainingSettings(EPOCHS, batch_size=4, learning_rate=4e-4, ema=0.999, precision="bf16-mixed")
translator = train(config, pairs, settings, OUT / "training", held_out)

# %%
# Drawings that it has not seen
# -----------------------------
# Each column shows the drawing, what the network paints, and the face that was drawn.

shown = torch.cat([ll.load_image(path) for path in sorted((OUT / "pairs" / "test").glob("*.png"))[:6]])
drawings, truth = shown[..., :SIZE], shown[..., SIZE:]
painted, _ = translator(drawings)
figure = ll.grid_figure(torch.stack([drawings, painted, truth]), [""] * 6, ["drawing", "painted", "face"])
ll.save_figure(figure, OUT / "painted.png")
figure
