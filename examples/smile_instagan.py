"""
A smile in the mouth alone with InstaGAN
========================================

Two sets of faces, each with the mask of its mouth: the network changes the mouth and its mask, and should leave the
rest as it is.

.. image:: /images/smile_instagan.jpg
   :alt: Faces and the masks of their mouths, translated; the masks of closed mouths grow into those of smiles

This page was not executed: the training takes two hours on one core. The image is from such a run: neutral, its mask,
smiling, its mask; smiling, its mask, neutral, its mask.
"""

from pathlib import Path

import latentlab as ll
from latentlab.datasets import LatentPairs, SetSettings, make_latent_pairs
from latentlab.faces import load_detector
from latentlab.rendering import Renderer
from latentlab.translation import Augmentation, InstaGAN, Techniques, TrainingSettings, train

FACES, SIZE, BASE_CHANNELS, EPOCHS = 1000, 64, 32, 6
OUT = Path("smile_instagan")

# sphinx_gallery_thumbnail_path = 'images/smile_instagan.jpg'

# %%
# The training set
# ----------------
# ``trainA/`` holds neutral faces and ``trainA_seg/`` the masks of their mouths, which a face detector finds;
# ``trainB/`` and ``trainB_seg/`` the same for smiling faces. They are larger than the training needs.

generator = ll.load_generator("mobile-ffhq")
render = Renderer(generator, generator.resolutions[0])
smile, scorer, detector = ll.load_direction("smile-w"), ll.load_scorer("fer"), load_detector("dlib68")
recipe = LatentPairs(render, smile, low=-1.5, high=2.5, scorer=scorer, detector=detector)
make_latent_pairs(recipe, SetSettings("instances", FACES, 128), OUT / "faces")

# %%
# The training
# ------------
# A stopped training resumes where it was. Grids of held-out faces are in ``training/samples``. Decoders resize and
# convolve, LPIPS is used beside L1, the discriminators learn at a quarter of the generators' rate, and the weights are
# averaged.

config = InstaGAN.configure(SIZE, BASE_CHANNELS).with_techniques(Techniques("resize", perceptual_weight=10))
faces = InstaGAN.open_folder(OUT / "faces", "train", config, Augmentation.for_resolution(SIZE)).source
held_out = InstaGAN.open_folder(OUT / "faces", "test", config, Augmentation.none(SIZE)).source
settings = TrainingSettings(EPOCHS, batch_size=4, learning_rate=4e-4, discriminator_rate=0.25, ema=0.999)
translator = train(config, faces, settings, OUT / "training", held_out)

# %%
# A face and its mouth
# --------------------

sample = held_out.sample(0, None)
smiling, mouths = translator(sample["a"], masks=sample["a_masks"])
ll.save_image(smiling, OUT / "smiling.png")
