"""
Directions of the library
=========================

Directions that come with the package give the same faces a smile, glasses or years. Each face gets a strength of its
own: as far as the score that taught the direction has to be moved, and no further.
"""

from pathlib import Path

import torch

import latentlab as ll
from latentlab.directions import shipped_directions
from latentlab.directions.teaching import teacher_of
from latentlab.editing import move
from latentlab.metrics.functional import attribute_changes
from latentlab.scorers import load_attributes, related

SEEDS = [601, 608, 613, 620]
OUT = Path("direction_library")

networks = ll.Components.load("mobile-ffhq", scorer="fer,attributes")
generator = networks.generator
renderer = networks.renderer(256)
ws = generator.mapping(ll.z_from_seeds(SEEDS, generator.z_dim), psi=0.7)

# %%
# What there is
# -------------
# A direction's card says which score taught it. There is a score for young faces and none for old ones, so the score
# falls along ``age``: it is called reversed. ``latentlab directions list`` prints the table.

for name in shipped_directions():
    print(f"{name}: learnt from {teacher_of(ll.load_direction(name))}")

# %%
# A strength for each face
# ------------------------
# The search takes some six renders of each face. Faces that are at the target already stay as they are, and those that
# do not get there go no further than a cap, a little beyond the range in the card.

TARGETS = {"smile": 0.9, "eyeglasses": 0.9, "age": 0.1}
unedited = torch.cat([renderer(one[None]) for one in ws])
edited = {}
for name, target in TARGETS.items():
    direction = ll.load_direction(name)
    score = teacher_of(direction).score
    found = ll.strength_for(ws, direction, target, renderer, networks.scorer, score, progress=False)
    print(f"{name}: {'; '.join(found.describe())}")
    strengths = torch.from_numpy(found.strengths).float()
    edited[name] = renderer(move(ws, [(direction, strengths)], generator))

figure = ll.grid_figure(
    torch.stack([unedited, *edited.values()]),
    columns=[f"seed {seed}" for seed in SEEDS],
    rows=["unedited", *edited],
    dpi=233,  # at which each image has its 256 pixels
)
ll.save_figure(figure, OUT / "grid.png")
figure

# %%
# And what else changes
# ---------------------
# The classifier of forty attributes sees what was not asked for. Leakage is the mean change over the attributes that
# are not related to the edited one by nature, in standard deviations of a population, here of 64 faces.

classifier = load_attributes()
names = classifier.names
others = generator.mapping(ll.z_from_seeds(range(700, 764), generator.z_dim), psi=0.7)
deviation = torch.cat([classifier.logits(renderer(one[None])) for one in others]).double().numpy().std(axis=0)
before = classifier.logits(unedited).double().numpy()
for name, images in edited.items():
    attribute = {"smile": "smiling", "eyeglasses": "eyeglasses", "age": "young"}[name]
    free = [k for k, other in enumerate(names) if other not in (attribute, *related(attribute, names))]
    changes = attribute_changes(before, classifier.logits(images).double().numpy(), deviation).mean(axis=0)
    most = sorted(free, key=lambda k: -changes[k])[:3]
    print(f"{name}: leakage {changes[free].mean():.2f}, most of it in {', '.join(names[k] for k in most)}")
