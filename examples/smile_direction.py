"""
The smile direction
===================

Draw faces, have a classifier score them, learn the direction of W along which the score grows, and judge it on faces
that were held out. ``latentlab smile`` does this with 2,000 faces, and evaluates edits as well.
"""

from pathlib import Path

import torch

import latentlab as ll
from latentlab.directions import cosine
from latentlab.samples import split

SAMPLES = 240
OUT = Path("smile_direction")

networks = ll.Components.load("mobile-ffhq", scorer="fer")
generator = networks.generator

# %%
# A table of faces and scores
# ---------------------------
# The generator's previews of 256² pixels are quicker, and enough for a classifier. If stopped, the same call resumes
# where it was.

table = ll.sample(networks, ll.LabelSettings(samples=SAMPLES, resolution=256), OUT / "samples")
print(f"{table.is_positive('happy').mean():.0%} of {len(table)} faces are happy")

# %%
# Two directions
# --------------
# One is the difference of the means, the other the normal of a linear support vector machine. They are learnt from
# three quarters of the samples; the figures are measured on the others.

found = {}
for method in ("mean", "svm"):
    learnt = ll.fit_direction(table, "happy", method)
    found[method] = learnt.direction
    learnt.direction.save(OUT / f"happy-{method}.safetensors")
    held_out = learnt.held_out
    print(f"{method}: AUC {held_out.auc:.2f} [{held_out.auc_low:.2f}, {held_out.auc_high:.2f}] on {held_out.n} faces")
print(f"cosine between the two: {cosine(found['mean'], found['svm']):.2f}")

# %%
# A walk along it
# ---------------
# Three held-out faces are drawn at five strengths, and each image is scored again.

_, test = split(table)
ws = table.subset(test).ws(generator.num_ws)[:3]
strengths = [-2.0, -1.0, 0.0, 1.0, 2.0]
walk = ll.walk(ws, found["svm"], strengths)  # (faces, strengths, num_ws, w_dim)
images = torch.stack([generator.synthesis(person, resolution=256) for person in walk])
scores = torch.stack([networks.scorer(person)[:, networks.scorer.names.index("happy")] for person in images])

titles = [f"seed {seed}" for seed in table.subset(test).seeds[:3]]
figure = ll.walk_figure(images, scores, strengths, titles, score_name="happy")
ll.save_figure(figure, OUT / "walk.png")
figure
