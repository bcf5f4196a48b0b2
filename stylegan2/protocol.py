"""The protocol of generators, which is all that latentlab asks of one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, Protocol

if TYPE_CHECKING:  # torch is not loaded just for annotations
    import torch
    from torch import Tensor

NoiseMode = Literal["const", "random", "none"]


class Mapping(Protocol):
    """z to w; in a generator without W, z to itself, followed by the condition if there is one.

    Truncation is called `psi`. The generators of this package also take it as `truncation_psi`, its name in NVIDIA's
    code; another generator need not.
    """

    def __call__(self, z: Tensor, c: Tensor | None = None, psi: float = 1.0, cutoff: int | None = None) -> Tensor:
        """Map `z (batch, z_dim)` to `ws (batch, num_ws, w_dim)`, truncated towards w_avg by psi.

        Without W there is no truncation: a psi other than 1 is refused.
        """


class Synthesis(Protocol):
    """ws to images."""

    def __call__(
        self,
        ws: Tensor,
        noise_mode: NoiseMode = "const",
        rng: torch.Generator | int | None = None,
        resolution: int | None = None,
    ) -> Tensor:
        """Render `ws (batch, num_ws, w_dim)` as images `(batch, img_channels, height, width)`; see `image_size`.

        In their place, a generator without W renders what its mapping gives. `resolution` is one of the generator's
        `resolutions`; None for the full one.
        """


class Generator(Protocol):
    """A generator: met by those of StyleGAN2, StyleGAN and Progressive GAN and the mobile one, and open to others.

    One whose images are not in colour also has an attribute `img_channels`; without it, they are taken to have 3. One
    whose images are not `resolution` pixels high and wide also has an attribute `image_size`, their height and width.

    Attributes
    ----------
    z_dim, c_dim, w_dim, num_ws
        Widths of z, condition (0: none) and w, and the rows of ws that `synthesis` takes; w_dim and num_ws are 0 where
        there is no W, and the codes are z.
    resolution
        Height and width of a square image in pixels; for others the size that names blocks and sets widths.
    resolutions
        Resolutions it can render at: previews first, the full one last.
    w_avg
        Mean of w, `(w_dim,)`, towards which truncation pulls.
    fingerprint
        Hash of configuration and weights: equal for equal networks, whatever file they came from.
    """

    z_dim: int
    c_dim: int
    w_dim: int
    num_ws: int
    resolution: int

    @property
    def resolutions(self) -> tuple[int, ...]: ...

    @property
    def w_avg(self) -> Tensor: ...

    @property
    def fingerprint(self) -> str: ...

    @property
    def mapping(self) -> Mapping: ...

    @property
    def synthesis(self) -> Synthesis: ...

    def __call__(
        self,
        z: Tensor,
        c: Tensor | None = None,
        psi: float = 1.0,
        cutoff: int | None = None,
        noise_mode: NoiseMode = "const",
        rng: torch.Generator | int | None = None,
    ) -> Tensor:
        """Images in about [-1, 1] from `z (batch, z_dim)`."""


class HasResolution(Protocol):
    """A network of images of some size, a generator or a discriminator."""

    resolution: int


def image_size(network: HasResolution) -> tuple[int, int]:
    """Height and width of the network's images: its attribute of that name, or its resolution twice."""
    height, width = getattr(network, "image_size", (network.resolution, network.resolution))
    return height, width
