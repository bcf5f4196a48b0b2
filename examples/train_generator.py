"""
A generator of your own
=======================

A small StyleGAN2 learns faces of 64 pixels from nothing, on images that another generator drew; then it is
fine-tuned to posters, of which there are a third as many.

.. image:: /images/generator_faces.jpg
   :alt: Eight seeds at six moments of the training, from spots of colour to faces

This page was not executed: both trainings take hours on a core. The image is from the beginning of the
first, which :doc:`/tutorials/generator` describes.
"""

from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageFilter, ImageOps

import latentlab as ll
from latentlab.generators import GeneratorRunOptions, ImageSetSettings, open_images, train_generator
from latentlab.generators.starting import start_of
from latentlab.images import grid
from latentlab.metrics.features import VGG16Features
from stylegan2.training.presets import tiny

FACES, POSTERS, SIZE, IMAGES, MORE = 6000, 2000, 64, 300_000, 110_000
OUT = Path("train_generator")

# sphinx_gallery_thumbnail_path = 'images/generator_faces.jpg'

# %%
# The training set
# ----------------
# A folder of your own images works as well.

generator = ll.load_generator("mobile-ffhq")
for seed in range(FACES):
    with torch.inference_mode():
        face = generator(ll.z_from_seeds([100_000 + seed], generator.z_dim), psi=0.7, resolution=256)
    ll.save_image(face, OUT / "faces" / f"{seed:05d}.png")

# %%
# From nothing
# ------------
# A stopped training resumes where it was. Grids of the same seeds are in ``run/samples``, losses in
# ``run/history.csv``. The distance of generated images from real ones, by which the best generator is kept, is measured
# with VGG16's features.

faces = open_images(OUT / "faces", ImageSetSettings(SIZE), OUT / "run" / "images")
options, features = GeneratorRunOptions(measure_every=1000), VGG16Features()
preset = tiny(SIZE, IMAGES, mirror=True)
run = train_generator(preset.networks(), faces, preset.settings, OUT / "run", features=features, options=options)

# %%
# Posters
# -------
# The posters show the same faces in five steps of three inks: any style would do.

INKS = np.array([[20, 33, 74], [226, 92, 66], [255, 241, 214]])


def poster(image: Image.Image) -> Image.Image:
    """Print an image in three inks."""
    smooth = ImageOps.autocontrast(image.convert("L").filter(ImageFilter.MedianFilter(7)), cutoff=2)
    steps = np.round(np.asarray(smooth) / 255 * 5) / 5
    printed = [np.interp(steps, [0, 0.5, 1], ink) for ink in INKS.T]
    return Image.fromarray(np.stack(printed, axis=-1).astype(np.uint8))


(OUT / "posters").mkdir(exist_ok=True)
for seed in range(POSTERS):
    poster(Image.open(OUT / "faces" / f"{seed:05d}.png")).save(OUT / "posters" / f"{seed:05d}.png")

# %%
# Fine-tuned
# ----------
# The training goes on from both networks. The discriminator's first layers, which see edges and colours, stay as they
# are: with few images, it would learn them by heart. It tells three inks from skin at once, so it would win; a fixed
# augmentation and a larger weight of R1 hold it back from the first step.
#
# .. image:: /images/generator_posters.jpg
#    :alt: Eight seeds: faces, and posters of them at four moments of the training

posters = open_images(OUT / "posters", ImageSetSettings(SIZE), OUT / "poster_run" / "images")
start = start_of(str(run.generator))
settings = tiny(SIZE, MORE, mirror=True, freeze=2, augment=0.25, r1_gamma=0.3).settings
tuned = train_generator(
    (start.generator, start.discriminator), posters, settings, OUT / "poster_run", features=features, options=options
)

# %%
# What it draws
# -------------
# The file is a generator like any other.

drawing = ll.load_generator(tuned.generator)
images = drawing(ll.z_from_seeds(range(16), drawing.z_dim), psi=0.7)
ll.save_image(grid(images, 8), OUT / "posters.png")
