"""
Neutral to smiling faces with CycleGAN
======================================

There are two sets of faces and no pairs: images of the generator along the smile direction, each face in one set only.
Each way has a network, which learns from what the other network makes of its results.

.. image:: /images/smile_cyclegan.jpg
   :alt: Faces that do not smile, translated and back; faces that smile, translated and back

This page was not executed: the training takes an hour on a core with AMX, and two in float32. The image is from
such a run: neutral, smiling, back; smiling, neutral, back.
"""

from pathlib import Path

import latentlab as ll
from latentlab.datasets import LatentPairs, SetSettings, make_latent_pairs
from latentlab.rendering import Renderer
from latentlab.translation import Augmentation, CycleGAN, Techniques, TrainingSettings, launch, train

FACES, SIZE, BASE_CHANNELS, EPOCHS = 1000, 96, 32, 12
OUT = Path("smile_cyclegan")

# sphinx_gallery_thumbnail_path = 'images/smile_cyclegan.jpg'

# %%
# The training set
# ----------------
# ``trainA/`` holds neutral faces, ``trainB/`` smiling ones, both larger than the training needs. A seed is used if the
# classifier sees the change.

generator = ll.load_generator("mobile-ffhq")
render = Renderer(generator, generator.resolutions[0])
recipe = LatentPairs(render, ll.load_direction("smile-w"), low=-1.5, high=2.5, scorer=ll.load_scorer("fer"))
make_latent_pairs(recipe, SetSettings("unpaired", FACES, 128), OUT / "faces")

# %%
# The training
# ------------
# A stopped training resumes where it was. Grids of held-out faces are in ``training/samples``. As for drawings,
# decoders resize and convolve, LPIPS is used beside L1, and the weights are averaged. CPUs with AMX train almost twice
# as fast with ``bf16-mixed``.

config = CycleGAN.configure(SIZE, BASE_CHANNELS).with_techniques(Techniques("resize", perceptual_weight=10))
faces = CycleGAN.open_folder(OUT / "faces", "train", config, Augmentation.for_resolution(SIZE)).source
held_out = CycleGAN.open_folder(OUT / "faces", "test", config, Augmentation.none(SIZE)).source
settings = TrainingSettings(EPOCHS, batch_size=4, learning_rate=4e-4, ema=0.999, precision="bf16-mixed")
fabric = launch(precision=settings.precision)
translator = train(config, faces, settings, OUT / "training", held_out, fabric)

# %%
# Both ways
# ---------

sample = held_out.sample(0, None)
smiling, _ = translator(sample["a"])
neutral, _ = translator(sample["b"], "b2a")
ll.save_image(smiling, OUT / "smiling.png")
ll.save_image(neutral, OUT / "neutral.png")
