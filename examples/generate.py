"""
Images of seeds
===============

A seed gives one face, the same one on every machine. The truncation, psi, sets how far it lies from the mean face:
small values give plain, faultless faces, and 1, where nothing is truncated, gives the most variety and the most
failures.
"""

from pathlib import Path

import torch

import latentlab as ll

SEEDS = range(600, 606)
PSI = [0.0, 0.4, 0.7, 1.0]
OUT = Path("generate")

# %%
# The generator
# -------------
# Any checkpoint will do: a name, or a file from NVIDIA's PyTorch or TensorFlow code, rosinality's or genforce's.

generator = ll.load_generator("mobile-ffhq")
z = ll.z_from_seeds(SEEDS, generator.z_dim)
print(f"{generator.resolution}² pixels, z {tuple(z.shape)}, {generator.num_ws} rows of w")

# %%
# A row for each psi
# ------------------
# The mapping network turns z into a latent and truncates it, :math:`w' = \bar w + \psi\,(w - \bar w)`; the synthesis
# network draws it.

rows = []
for psi in PSI:
    ws = generator.mapping(z, psi=psi)  # (seeds, num_ws, w_dim)
    images = torch.cat([generator.synthesis(one[None]) for one in ws])
    rows.append(ll.images.reduce(images, 256))
figure = ll.grid_figure(torch.stack(rows), [f"seed {seed}" for seed in SEEDS], [f"psi {psi}" for psi in PSI])
ll.save_figure(figure, OUT / "grid.png")
figure

# %%
# At psi 0 every seed gives the mean face. The images themselves are at the full resolution:

ll.save_image(images[0], OUT / "seed000600.png")
ll.to_pil(ll.images.reduce(images[:1], 512))
