"""
A photo, step by step
=====================

Find the face, search for its latent, refine what no latent renders, edit, and put the result back into the photo.
``latentlab.edit_photo`` and ``latentlab edit --photo PHOTO --direction smile`` do the same in one go, with more checks.

``PHOTO`` may name a photo of yours. Here a generated face stands in for one; it is easier than a photo, so
far fewer steps than usual are enough.
"""

from dataclasses import replace
from pathlib import Path

import torch

import latentlab as ll
from latentlab.faces.identity import similarity
from latentlab.pipelines import StrengthSettings
from latentlab.projection import BEFORE_REFINEMENT, REFINEMENT

PHOTO = None
STEPS, REFINEMENT_STEPS = (80, 80) if PHOTO else (30, 20)
TARGET = 0.9  # score of the smile
OUT = Path("edit_photo")

networks = ll.Components.load("mobile-ffhq", scorer="fer")
generator = networks.generator

# %%
# The face in the photo
# ---------------------
# Landmarks give the square by which FFHQ's faces were cropped, and with it the way back.

if PHOTO:
    photo = ll.load_image(PHOTO)
else:
    photo = generator(ll.z_from_seeds([671], generator.z_dim), psi=0.7).clamp(-1, 1)
(face,) = ll.align(photo, networks.detector, generator.resolution)

# %%
# Its latent
# ----------
# The search in W+ starts from an encoder's guess. A residual on inner features adds what the search cannot reach.

recipe = BEFORE_REFINEMENT["w+"].shortened(STEPS)
projection = ll.project(face.image, generator, recipe, perceptual=networks.fast_perceptual)
ws = projection.ws(generator)  # (1, num_ws, w_dim)
refinement = replace(REFINEMENT, steps=REFINEMENT_STEPS)
tuned = ll.tune(face.image, ws, generator, networks.fast_perceptual, refinement)
print(f"LPIPS {float(tuned.before):.3f} projected, {float(tuned.lpips):.3f} refined")

# %%
# The edit
# --------

# The strength is searched for on this face: latents of photos respond less than those of the generator's own faces.

smile = ll.load_direction("smile")
render = ll.Renderer(tuned.generator, tuned.generator.resolution)
settings = StrengthSettings(ranges=1.5)  # the cap: beyond 1.5 times the calibrated range mouths tear
strength = ll.strength_for(ws, smile, TARGET, render, networks.scorer, "happy", settings)
print(*strength.describe())
found = render(ws).clamp(-1, 1)
edited = render(ll.move(ws, float(strength.strengths[0]) * smile, tuned.generator)).clamp(-1, 1)
result = ll.paste_back(edited, face.geometry, photo)
ll.save_image(result, OUT / "photo.png")

shown = torch.cat([ll.images.resize(image, 512, 512) for image in (face.image, found, edited)])
ll.grid_figure(shown[None], ["the face", "projected and refined", "edited"], [""], dpi=250)

# %%
# Is it still the same person? The similarity is 1 for the same image, and about 0 for strangers.

kept = float(similarity(networks.descriptor(face.image), networks.descriptor(edited)))
print(f"identity kept: {kept:.2f}")
