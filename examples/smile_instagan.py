"""
A smile in the mouth alone with InstaGAN
========================================

Two sets of faces, each with the mask of its mouth: the network changes the mouth and its mask, and leaves the rest.

.. image:: /images/smile_instagan.jpg
   :alt: Faces and the masks of their mouths, translated; the masks of closed mouths grow into those of smiles

This page was not executed: the run takes some seven minutes on two cores. The image is of such a run. The masks of
closed mouths grow into those of smiles; the images stay coarse, and the way back is hardly learnt.
"""

from pathlib import Path

import latentlab as ll
from latentlab.datasets import LatentPairs, SetSettings, make_latent_pairs
from latentlab.faces import load_detector
from latentlab.rendering import Renderer
from latentlab.translation import Augmentation, InstaGAN, TrainingSettings, train

FACES, SIZE, BASE_CHANNELS, EPOCHS = 100, 64, 32, 4
OUT = Path("smile_instagan")

# sphinx_gallery_thumbnail_path = 'images/smile_instagan.jpg'

# %%
# The training set
# ----------------
# ``trainA/`` has neutral faces and ``trainA_seg/`` the masks of their mouths, which a face detector finds; ``trainB/``
# and ``trainB_seg/`` the same of smiling ones.

generator = ll.load_generator("mobile-ffhq")
render = Renderer(generator, generator.resolutions[0])
smile, scorer, detector = ll.load_direction("smile-w"), ll.load_scorer("fer"), load_detector("dlib68")
recipe = LatentPairs(render, smile, low=-1.5, high=2.5, scorer=scorer, detector=detector)
make_latent_pairs(recipe, SetSettings("instances", FACES, SIZE), OUT / "faces")

# %%
# The training
# ------------
# Stopped, it goes on where it was. Grids of held-out faces lie in ``training/samples``.

config = InstaGAN.configure(SIZE, BASE_CHANNELS)
faces = InstaGAN.open_folder(OUT / "faces", "train", config, Augmentation.for_resolution(SIZE)).source
held_out = InstaGAN.open_folder(OUT / "faces", "test", config, Augmentation.none(SIZE)).source
translator = train(config, faces, TrainingSettings(EPOCHS), OUT / "training", held_out)

# %%
# A face and its mouth
# --------------------

sample = held_out.sample(0, None)
smiling, mouths = translator(sample["a"], masks=sample["a_masks"])
ll.save_image(smiling, OUT / "smiling.png")
