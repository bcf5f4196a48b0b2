"""StyleGAN2 and its forerunners from scratch, in plain PyTorch: networks, sampling, checkpoints of all common formats.

>>> import stylegan2
>>> G = stylegan2.load("mobile-ffhq")
>>> images = G(stylegan2.z_from_seeds([600, 601], G.z_dim), psi=0.7)

Names are imported on first use: `import stylegan2` itself does not load torch.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from stylegan2 import (
        checkpoints,
        config,
        devices,
        discriminator,
        errors,
        fingerprint,
        growing,
        layers,
        memory,
        mobile,
        networks,
        noise,
        ops,
        optimization,
        precision,
        progressive,
        protocol,
        safe_pickle,
        sampling,
        styled,
        stylegan1,
    )
    from stylegan2.checkpoints import Inspected, convert, inspect, load, save
    from stylegan2.config import DiscriminatorConfig, GeneratorConfig
    from stylegan2.discriminator import Discriminator
    from stylegan2.errors import CheckpointError, DeviceError
    from stylegan2.growing import GrowingDiscriminator, GrowingDiscriminatorConfig
    from stylegan2.mobile import MobileConfig, MobileGenerator
    from stylegan2.networks import Generator
    from stylegan2.optimization import OptimizedGenerator, optimize
    from stylegan2.progressive import ProgressiveConfig, ProgressiveGenerator
    from stylegan2.sampling import lerp, slerp, style_mix, truncate, z_from_seeds
    from stylegan2.stylegan1 import StyleGANConfig, StyleGANGenerator

    __version__: str

# Name to the module that defines it.
_LATER = {
    **dict.fromkeys(("Inspected", "convert", "inspect", "load", "save"), "checkpoints"),
    **dict.fromkeys(("DiscriminatorConfig", "GeneratorConfig"), "config"),
    "Discriminator": "discriminator",
    **dict.fromkeys(("CheckpointError", "DeviceError"), "errors"),
    **dict.fromkeys(("GrowingDiscriminator", "GrowingDiscriminatorConfig"), "growing"),
    **dict.fromkeys(("MobileConfig", "MobileGenerator"), "mobile"),
    "Generator": "networks",
    "OptimizedGenerator": "optimization",
    "optimize": "optimization",
    **dict.fromkeys(("ProgressiveConfig", "ProgressiveGenerator"), "progressive"),
    **dict.fromkeys(("StyleGANConfig", "StyleGANGenerator"), "stylegan1"),
    **dict.fromkeys(("lerp", "slerp", "style_mix", "truncate", "z_from_seeds"), "sampling"),
}
_MODULES = (
    "checkpoints",
    "config",
    "devices",
    "discriminator",
    "errors",
    "fingerprint",
    "growing",
    "layers",
    "memory",
    "mobile",
    "networks",
    "noise",
    "ops",
    "optimization",
    "precision",
    "progressive",
    "protocol",
    "safe_pickle",
    "sampling",
    "styled",
    "stylegan1",
)

__all__ = [
    "CheckpointError",
    "DeviceError",
    "Discriminator",
    "DiscriminatorConfig",
    "Generator",
    "GeneratorConfig",
    "GrowingDiscriminator",
    "GrowingDiscriminatorConfig",
    "Inspected",
    "MobileConfig",
    "MobileGenerator",
    "OptimizedGenerator",
    "ProgressiveConfig",
    "ProgressiveGenerator",
    "StyleGANConfig",
    "StyleGANGenerator",
    "__version__",
    "checkpoints",
    "config",
    "convert",
    "devices",
    "discriminator",
    "errors",
    "fingerprint",
    "growing",
    "inspect",
    "layers",
    "lerp",
    "load",
    "memory",
    "mobile",
    "networks",
    "noise",
    "ops",
    "optimization",
    "optimize",
    "precision",
    "progressive",
    "protocol",
    "safe_pickle",
    "sampling",
    "save",
    "slerp",
    "style_mix",
    "styled",
    "stylegan1",
    "truncate",
    "z_from_seeds",
]


def _version() -> str:
    """Return the version of the distribution `latentlab-gan`, to which both packages belong."""
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("latentlab-gan")
    except PackageNotFoundError:  # a source tree that was not installed
        return "0+unknown"


if not TYPE_CHECKING:  # where a type checker sees it, it takes any name for an attribute

    def __getattr__(name: str) -> Any:
        if name in _LATER:
            value = getattr(import_module(f"{__name__}.{_LATER[name]}"), name)
        elif name in _MODULES:
            value = import_module(f"{__name__}.{name}")
        elif name == "__version__":
            value = _version()
        else:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        globals()[name] = value
        return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
