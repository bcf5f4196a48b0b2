"""
An attribute of one's own
=========================

An attribute is whatever a function says of images. Here it is how light the background is, which no classifier was
trained for, and the study of it is that of ``latentlab smile``: draw and score faces, learn the direction, edit
held-out faces along it, and report.
"""

from pathlib import Path

import torch

import latentlab as ll
from latentlab.pipelines import StudySettings
from latentlab.pipelines.study import summary

SAMPLES = 200
OUT = Path("own_attribute")

# %%
# The function
# ------------
# It takes images ``(b, 3, h, w)`` in [-1, 1] and gives a number for each. A single score above one half means that an
# image has the attribute. Anything that computes is fine, an ``nn.Module`` as well: ``FunctionScorer`` makes a scorer
# of it.


def bright(images):
    """Brightness of the upper corners, one half at middle grey."""
    size = images.shape[-1] // 8
    corners = torch.cat([images[..., :size, :size], images[..., :size, -size:]], dim=-1)
    return torch.sigmoid(4 * corners.mean(dim=(1, 2, 3)))


scorer = ll.FunctionScorer(("bright",), bright)

# %%
# The study
# ---------
# It writes ``report.md``, the directions, figures and a film into the folder; stopped, the same call goes on where it
# was.

networks = ll.Components.load("mobile-ffhq", scorer=scorer)
settings = StudySettings(name="bright", attribute="bright", scorer="bright", samples=SAMPLES, edited_faces=8)
study = ll.study_attribute(networks, settings, OUT)
print("\n".join(summary(study)))

# %%
# Held-out faces along the direction, with the score under each:

OUT / "walk.png"

# %%
# How the score follows the strength, in the median and the quartiles of the faces:

OUT / "response.png"
