"""
Drawings to faces with pix2pix
==============================

Draw generated faces, and train a network to paint faces from drawings. On the command line it is
``latentlab translate make drawings``, ``latentlab translate train pix2pix`` and ``latentlab translate apply``.
"""

from pathlib import Path

import torch

import latentlab as ll
from latentlab.datasets import generated_images, make_drawings
from latentlab.rendering import Renderer
from latentlab.translation import Augmentation, Pix2Pix, TrainingSettings, train

FACES, SIZE, BASE_CHANNELS, EPOCHS = 200, 64, 32, 10
OUT = Path("edges_to_face")

# %%
# The training set
# ----------------
# Pairs side by side in ``train/`` and ``test/``, as the published code has them. The generator's previews are enough.

ll.keep_freed_memory()
generator = ll.load_generator("mobile-ffhq")
faces = generated_images(Renderer(generator, generator.resolutions[0]), range(600, 600 + FACES))
make_drawings(faces, OUT / "pairs", SIZE)

# %%
# The training
# ------------
# The paper's run is 200 epochs with 64 base channels on larger images. This one stops after a minute or two, when the
# shape, the hair and the skin are there and little else, and can go on: everything is in the folder.

config = Pix2Pix.configure(SIZE, BASE_CHANNELS)
pairs = Pix2Pix.open_folder(OUT / "pairs", "train", config, Augmentation.for_resolution(SIZE)).source
held_out = Pix2Pix.open_folder(OUT / "pairs", "test", config, Augmentation.none(SIZE)).source
translator = train(config, pairs, TrainingSettings(EPOCHS, batch_size=4), OUT / "training", held_out)

# %%
# Drawings that it has not seen
# -----------------------------
# The drawing, what the network paints, and the face that was drawn.

shown = torch.cat([ll.load_image(path) for path in sorted((OUT / "pairs" / "test").glob("*.png"))[:6]])
drawings, truth = shown[..., :SIZE], shown[..., SIZE:]
painted, _ = translator(drawings)
figure = ll.grid_figure(torch.stack([drawings, painted, truth]), [""] * 6, ["drawing", "painted", "face"])
ll.save_figure(figure, OUT / "painted.png")
figure
