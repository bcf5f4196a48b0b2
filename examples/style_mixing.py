"""
Style mixing
============

Each row of a latent steers some layers of the generator. Layers 0 to 2 (4² and 8² pixels) decide the pose and the
shape of the face, 3 to 6 its features and hair, those from 7 colours and light. Here each face of the left margin
lends some of its layers to each face of the top.
"""

from pathlib import Path

import torch

import latentlab as ll

TOP = range(600, 605)
LEFT = range(610, 613)
OUT = Path("style_mixing")

generator = ll.load_generator("mobile-ffhq")
top, left = (generator.mapping(ll.z_from_seeds(seeds, generator.z_dim), psi=0.7) for seeds in (TOP, LEFT))


def mixed(layers):
    """Figure of every face of the top with these layers of every face on the left."""
    rows = [torch.cat([torch.ones(1, 3, 256, 256), render(top)])]  # the corner between the margins is white
    for donor in left:
        rows.append(render(torch.cat([donor[None], ll.style_mix(top, donor[None], layers)])))
    return ll.grid_figure(torch.stack(rows), ["", *map(str, TOP)], ["", *map(str, LEFT)])


def render(ws):
    """Images of latents, reduced to `(b, 3, 256, 256)`."""
    return torch.cat([ll.images.reduce(generator.synthesis(one[None]), 256) for one in ws])


# %%
# Colours and light
# -----------------
# The last layers: the persons of the top, in the light and the colours of the left.

figure = mixed(range(7, generator.num_ws))
ll.save_figure(figure, OUT / "colours.png")
figure

# %%
# Pose and shape
# --------------
# The first three layers: the poses of the left, with the hair and the colours of the top.

figure = mixed(range(3))
ll.save_figure(figure, OUT / "shape.png")
figure
