"""
Style mixing
============

Each row of a latent steers some layers of the generator: the first rows steer what is large, such as pose and hair, the
last ones colours and light. Here each face in the left margin lends some of its rows to each face at the top.
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
    """Figure of every face at the top with these layers of every face on the left."""
    first = render(top)
    rows = [torch.cat([torch.ones_like(first[:1]), first])]  # the corner between the margins is white
    for donor in left:
        rows.append(render(torch.cat([donor[None], ll.style_mix(top, donor[None], layers)])))
    return ll.grid_figure(torch.stack(rows), ["", *map(str, TOP)], ["", *map(str, LEFT)])


def render(ws):
    """Images of latents `(b, num_ws, w_dim)`: the generator's previews, which are quicker than the full 1024²."""
    return generator.synthesis(ws, resolution=generator.resolutions[0])


# %%
# Colours and light
# -----------------
# The last rows show the people at the top in the light and the colours of those on the left.

figure = mixed(range(7, generator.num_ws))
ll.save_figure(figure, OUT / "colours.png")
figure

# %%
# Pose and hair
# -------------
# The first three rows, those of 4² and 8² pixels, give pose, hair and glasses of the left in the colours of the top.

figure = mixed(range(3))
ll.save_figure(figure, OUT / "shape.png")
figure
