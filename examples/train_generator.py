"""
A generator trained from nothing
================================

A small StyleGAN2 learns to draw a circle. The set is made on the spot, and its images are small, so that one sees on a
CPU within minutes that it learns; images of your own and a generator of full size take the same lines.
"""

from pathlib import Path

import latentlab as ll
from latentlab.datasets import make_shapes
from latentlab.generators import GeneratorRunOptions, ImageSetSettings, open_images, train_generator
from latentlab.training import launch
from stylegan2.training import presets

SCENES, SIZE, IMAGES = 1000, 16, 16_000
OUT = Path("train_generator")

# %%
# The training set
# ----------------
# A folder of images, or a zip archive: read once, checked, and kept as bytes.

make_shapes(SCENES, OUT / "shapes", 64, most=1)
scenes = open_images(OUT / "shapes" / "trainB", ImageSetSettings(SIZE), OUT / "images")

# %%
# The training
# ------------
# ``tiny`` has few feature maps. With a thousand images the discriminator would soon know them by heart: what it sees is
# augmented, the more the surer it is. Stopped, the training goes on where it was.

preset = presets.tiny(SIZE, IMAGES, mirror=True, r1_gamma=0.1)
options = GeneratorRunOptions(sample_every=250)
run = train_generator(preset.networks(), scenes, preset.settings, OUT / "training", launch("cpu"), None, options)

# %%
# What it learnt from, and what it draws
# --------------------------------------

generator = ll.load_generator(run.generator)
drawn = generator(ll.z_from_seeds(range(36), generator.z_dim)).clamp(-1, 1)
ll.save_image(ll.images.grid(drawn.repeat_interleave(4, 2).repeat_interleave(4, 3), 6), OUT / "drawn.png")
OUT / "drawn.png"
