"""
Walks through latent space
==========================

One film goes from seed to seed, and one along a direction.
"""

from pathlib import Path

import torch

import latentlab as ll
import stylegan2
from latentlab.video import write_gif

SEEDS = [600, 601, 602]
FRAMES = 12  # from one seed, or end, to the next
OUT = Path("latent_walk")

generator = ll.load_generator("mobile-ffhq")
z = ll.z_from_seeds(SEEDS, generator.z_dim)
ws = generator.mapping(z, psi=0.7)  # (seeds, num_ws, w_dim)


render = ll.Renderer(generator, generator.resolutions[0])  # previews, which are quicker than images of 1024²


# %%
# From seed to seed
# -----------------
# The film goes round and round, from the last seed back to the first. In W it walks along straight lines. In Z these
# would be great circles, ``stylegan2.slerp``: z is normally distributed, and all of it lies near a sphere.

ways = torch.arange(FRAMES) / FRAMES
loop = [stylegan2.lerp(ws[k - 1], ws[k], t) for k in range(len(SEEDS)) for t in ways]
write_gif(torch.cat([render(stop[None]) for stop in loop]), OUT / "loop.gif")
OUT / "loop.gif"

# %%
# Along a direction
# -----------------
# The same people go from a straight face to a smile and back. The shipped smile moves a few style channels; ``ll.move``
# takes directions of every space. How far one can go before faces distort was calibrated when the direction was learnt.

smile = ll.load_direction("smile")
low, high = smile.strength_range
print(f"from {low:.2f} to {high:.2f}; one standard deviation of the population is {smile.sigma:.2f}")

# %%
# A wave is smoother than a line that turns on the spot.

wave = (1 - torch.cos(2 * torch.pi * torch.arange(2 * FRAMES) / (2 * FRAMES))) / 2  # 0, up to 1, and back
strengths = low + (high - low) * wave
frames = [render(ll.move(ws, strength * smile, generator)) for strength in strengths.tolist()]  # (seeds, 3, 256, 256)
write_gif(torch.cat([ll.images.grid(frame, len(SEEDS)) for frame in frames]), OUT / "smile.gif")
OUT / "smile.gif"
