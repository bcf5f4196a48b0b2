"""
An attribute of one's own
=========================

An attribute is whatever a function says about images. Here it is how light the background is, which no classifier was
trained for: score faces, learn the direction, and look at held-out faces along it.
"""

from pathlib import Path

import torch

import latentlab as ll
from latentlab.samples import split

SAMPLES = 200
OUT = Path("own_attribute")

# %%
# The function
# ------------
# It takes images ``(b, 3, h, w)`` in [-1, 1] and returns a number for each, on any scale. The threshold says which
# images have the attribute: here the upper third of the samples do, the lower third do not, and those in between are
# left out.


def lightness(images):
    """Mean of the upper corners, from -1 to 1."""
    size = images.shape[-1] // 8
    return torch.cat([images[..., :size, :size], images[..., :size, -size:]], dim=-1).mean(dim=(1, 2, 3))


scorer = ll.FunctionScorer(("bright",), lightness, threshold="q0.33,q0.67")

# %%
# The direction
# -------------
# It is learnt from three quarters of the samples and judged on the others.

networks = ll.Components.load("mobile-ffhq", scorer=scorer)
preview = networks.generator.resolutions[0]
table = ll.sample(networks, ll.LabelSettings(samples=SAMPLES, resolution=preview), OUT / "samples")
learnt = ll.fit_direction(table, "bright")
learnt.direction.save(OUT / "bright.safetensors")
held_out = learnt.held_out
print(f"AUC {held_out.auc:.2f} [{held_out.auc_low:.2f}, {held_out.auc_high:.2f}] on {held_out.n} held-out faces")

# %%
# Held-out faces along it
# -----------------------
# The score under each image is measured on that image.

_, test = split(table)
faces = table.subset(test)
strengths = [-4.0, -2.0, 0.0, 2.0, 4.0]
walk = ll.walk(faces.ws(networks.generator.num_ws)[:3], learnt.direction, strengths)
images = torch.stack([networks.generator.synthesis(person, resolution=preview) for person in walk])
scores = torch.stack([lightness(person) for person in images])
figure = ll.walk_figure(images, scores, strengths, [f"seed {seed}" for seed in faces.seeds[:3]], score_name="bright")
ll.save_figure(figure, OUT / "walk.png")
figure

# %%
# What else changes with it? The images are the first answer, and a study the second: ``ll.study_attribute`` calibrates
# how far to go, edits held-out faces, scores them again, and writes a report.
