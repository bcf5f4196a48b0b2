"""StyleGAN2 from scratch, in plain PyTorch: the networks, their sampling, and everybody's checkpoints.

>>> import stylegan2
>>> G = stylegan2.load("mobile-ffhq")
>>> pictures = G(stylegan2.z_from_seeds([600, 601], G.z_dim), psi=0.7)
"""

from stylegan2.checkpoints import convert, load, save
from stylegan2.config import DiscriminatorConfig, GeneratorConfig
from stylegan2.discriminator import Discriminator
from stylegan2.errors import CheckpointError
from stylegan2.mobile import MobileConfig, MobileGenerator
from stylegan2.networks import Generator
from stylegan2.sampling import lerp, slerp, style_mix, truncate, z_from_seeds

__version__ = "0.1.0"

__all__ = [
    "CheckpointError",
    "Discriminator",
    "DiscriminatorConfig",
    "Generator",
    "GeneratorConfig",
    "MobileConfig",
    "MobileGenerator",
    "convert",
    "lerp",
    "load",
    "save",
    "slerp",
    "style_mix",
    "truncate",
    "z_from_seeds",
]
