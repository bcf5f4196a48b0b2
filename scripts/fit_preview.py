"""Fit the preview head of `mobile-ffhq` in closed form, and write the file that the package ships.

    python scripts/fit_preview.py stylegan2/data/mobile-ffhq.safetensors

Faces of their own seeds, half of them at psi 1 and half at 0.7, are rendered in full and reduced to the
preview's size; at random positions the 2×2 pixels are regressed (ridge) on the features around them, as they
are and modulated in the two ways of `stylegan2.mobile.PreviewHead`, and on w. The seeds lie far from those
that the agreement is measured on (benchmarks/preview_agreement.py). Takes about ten minutes on two cores.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors.torch import save
from torch import Tensor
from tqdm import tqdm

from latentlab.files import atomic_path
from latentlab.weights import get
from stylegan2 import MobileGenerator, z_from_seeds
from stylegan2.checkpoints import openvino
from stylegan2.checkpoints.build import build
from stylegan2.memory import keep_freed_memory
from stylegan2.mobile import PreviewHead

FIRST_SEED = 100_000
RIDGE = 1e-5  # relative to each regressor's own energy


def regressors(generator: MobileGenerator, ws: Tensor, positions: Tensor) -> Tensor:
    """Regressors of the head at some positions of one face: `(3 * channels * 9 + w_dim + 1, positions)`."""
    synthesis, resolution = generator.synthesis, openvino.PREVIEW_RESOLUTION
    styles = synthesis.styles(ws)
    x = synthesis.features(styles, resolution // 2, "const", None)  # (1, c, r, r)
    factors = PreviewHead.modulations(styles[f"b{resolution}.up"], styles[f"b{resolution}.conv0"])  # (3, 1, c)
    padded = F.pad(x[0].contiguous(), (1, 1, 1, 1))
    row, column = positions // x.shape[3], positions % x.shape[3]
    around = [padded[:, row + i, column + j] for i in range(3) for j in range(3)]
    patches = torch.stack(around, dim=1)  # (c, 9, positions)
    modulated = factors[:, 0, :, None, None] * patches  # (3, c, 9, positions)
    constant = torch.cat([ws[0, 0], ws.new_ones(1)])[:, None].expand(-1, len(positions))
    return torch.cat([modulated.flatten(0, 2), constant])


def targets(generator: MobileGenerator, ws: Tensor, positions: Tensor) -> Tensor:
    """The 2×2 pixels of the full image, reduced, at the positions: `(12, positions)`."""
    factor = generator.resolution // openvino.PREVIEW_RESOLUTION
    image = F.avg_pool2d(generator.synthesis(ws), factor)
    return F.pixel_unshuffle(image, 2)[0].flatten(1)[:, positions]


@torch.inference_mode()
def fit(generator: MobileGenerator, faces: int, positions: int) -> Tensor:
    """The ridge solution, `(regressors, 12)`."""
    rng = torch.Generator().manual_seed(0)
    cells = (openvino.PREVIEW_RESOLUTION // 2) ** 2
    energy: Tensor | float = 0.0
    match: Tensor | float = 0.0
    for k in tqdm(range(faces), unit="face"):
        z = z_from_seeds([FIRST_SEED + k], generator.z_dim)
        ws = generator.mapping(z, psi=1.0 if k % 2 else 0.7)
        where = torch.randperm(cells, generator=rng)[:positions]
        x, y = regressors(generator, ws, where), targets(generator, ws, where)
        energy = energy + (x @ x.T).double()
        match = match + (x @ y.T).double()
    assert isinstance(energy, Tensor) and isinstance(match, Tensor)
    scale = energy.diagonal().sqrt()
    system = energy / scale[:, None] / scale + RIDGE * torch.eye(len(scale), dtype=torch.float64)
    return torch.linalg.solve(system, match / scale[:, None]) / scale[:, None]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path, help="the file to write")
    parser.add_argument("--faces", type=int, default=1200, help="faces to learn from")
    parser.add_argument("--positions", type=int, default=160, help="positions in each")
    arguments = parser.parse_args()
    keep_freed_memory()
    published = openvino.read_published(get("mobile-ffhq"))
    generator = build(published.with_mean())
    assert isinstance(generator, MobileGenerator)
    solution = fit(generator, arguments.faces, arguments.positions).float()
    config = generator.config
    channels = config.channels(openvino.PREVIEW_RESOLUTION // 2)
    kernels, colour, bias = solution.split([3 * channels * 9, config.w_dim, 1])
    tensors = {
        "mapping.w_avg": generator.w_avg.contiguous(),
        "synthesis.preview.kernels": kernels.T.reshape(12, 3, channels, 3, 3)
        .transpose(0, 1)
        .flatten(0, 1)
        .contiguous(),
        "synthesis.preview.colour": colour.T.contiguous(),
        "synthesis.preview.bias": bias[0].contiguous(),
    }
    metadata = {
        "weights": published.weights,
        "made_by": f"scripts/fit_preview.py --faces {arguments.faces} --positions {arguments.positions}",
        "licence": "non-commercial research: fitted on images of mobile-ffhq, distilled from StyleGAN2-FFHQ",
    }
    with atomic_path(arguments.out) as temporary:
        temporary.write_bytes(save(tensors, metadata))
    print(f"{arguments.out}: {solution.numel()} numbers")


if __name__ == "__main__":
    main()
