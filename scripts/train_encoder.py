"""Train the encoder of `mobile-ffhq` on the generator's own images, and write the file that the package ships.

    python scripts/train_encoder.py latentlab/data/encoder-mobile-ffhq.safetensors --folder samples

Nothing but the generator's images goes into it. Those of their own seeds are rendered by preview, half of them
at psi 1 and half at 0.7, every third with rows of two w's, for photos do not lie in W and their rows are to be
told apart. Rows are fitted in three groups (4² … 8², 16² … 32², the rest) by ridge regression in the features of
`latentlab.projection.encoder`. The strength of the ridge is the one of the least leave-one-out error. Prints the
share of the variance of w that is explained on seeds not trained on. Takes about 20 minutes on one core; run it
again to go on where it was stopped. The seeds are fixed: the command gives one file, except for the
rounding of the processor's arithmetic.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import save
from torch import Tensor

from latentlab import images, progress
from latentlab.errors import UserError
from latentlab.files import atomic_path
from latentlab.precision import fast_dtype
from latentlab.projection.encoder import GRID, LAYERS, RESOLUTION, Backbone, Encoder
from stylegan2 import load, z_from_seeds
from stylegan2.memory import keep_freed_memory
from stylegan2.protocol import Generator

GENERATOR = "mobile-ffhq"
FIRST_SEED, FIRST_HELD_OUT, SECOND_SEED = 500_000, 600_000, 10_000_000
SHARD = 64
CUTS = (4, 8)  # the rows at which a group begins
RIDGES = (0.1, 0.2, 0.3, 0.5, 0.7, 1.0)  # relative to an image's mean energy
RANK = 128


def latents(generator: Generator, seeds: range) -> Tensor:
    """Draw ws `(n, num_ws, w_dim)` of training images."""
    found = []
    for seed in seeds:
        z = z_from_seeds([seed, seed + SECOND_SEED], generator.z_dim)
        ws, other = generator.mapping(z, psi=1.0 if seed % 2 else 0.7).split(1)
        if seed % 3 == 2:
            cut = CUTS[seed // 3 % 2]
            ws = torch.cat([ws[:, :cut], other[:, cut:]], dim=1)
        found.append(ws)
    return torch.cat(found)


def images_of(generator: Generator, ws: Tensor) -> Tensor:
    """Render ws as the encoder sees them, in bytes: `(n, 3, 128, 128)`."""
    rendered = (generator.synthesis(row, resolution=generator.resolutions[0]) for row in torch.split(ws, 1))
    return torch.cat([images.to_bytes(images.reduce(image, RESOLUTION)) for image in rendered])


def shard(path: Path, generator: Generator, backbone: Backbone, seeds: range) -> dict[str, Tensor]:
    """`pictures`, `ws` and `features` of the seeds; from the file `path` where an earlier run left it."""
    if not path.exists():
        ws = latents(generator, seeds)
        pictures = images_of(generator, ws)
        features = torch.cat([backbone(part / 127.5 - 1) for part in pictures.split(16)])
        tensors = {"pictures": pictures, "ws": ws.contiguous(), "features": features.half()}
        with atomic_path(path) as temporary:
            temporary.write_bytes(save(tensors, {"generator": generator.fingerprint}))
    with safe_open(path, framework="pt") as file:
        if file.metadata()["generator"] != generator.fingerprint:
            raise UserError(f"{path} holds images of another generator; choose another folder")
        return {name: file.get_tensor(name) for name in ("pictures", "ws", "features")}


@torch.inference_mode()
def samples(folder: Path, generator: Generator, first: int, count: int) -> dict[str, Tensor]:
    """`pictures`, `ws` and `features` of `count` seeds, rounded up to whole files, from `first`."""
    backbone, shards = Backbone(fast_dtype("cpu")), []
    with progress.bar(f"images from {first}") as step:
        for start in range(first, first + count, SHARD):
            path = folder / f"{start}.safetensors"
            shards.append(shard(path, generator, backbone, range(start, start + SHARD)))
            step(min(start + SHARD - first, count), count)
    return {name: torch.cat([part[name] for part in shards]) for name in shards[0]}


def groups(ws: Tensor) -> Tensor:
    """The first row of each group, one after the other: `(n, groups * w_dim)`."""
    return ws[:, [0, *CUTS]].flatten(1)


def block_scales(features: Tensor) -> Tensor:
    """A factor for each feature, `(features,)`, by which every layer has the same energy, in all 1 an image."""
    sizes = [channels * GRID**2 for channels in (128, 256, 512)]
    assert len(sizes) == len(LAYERS)
    energies = [block.square().sum(dim=1).mean() for block in features.split(sizes, dim=1)]
    scales = [(len(sizes) * energy).rsqrt().expand(size) for energy, size in zip(energies, sizes, strict=True)]
    return torch.cat(scales)


@torch.inference_mode()
def fit(features: Tensor, targets: Tensor) -> tuple[dict[str, Tensor], float]:
    """The factors of the ridge solution, as `Encoder` takes them, and the ridge that was chosen.

    Solved in its dual form, with the kernel `(n, n)` of the images. The rank is reduced to the directions in
    which the predictions of the training images vary most (reduced-rank regression).
    """
    x, y = features.float(), targets.double()
    centre, mean = x.mean(dim=0), y.mean(dim=0)
    x = x - centre
    scales = block_scales(x)
    x, y = x * scales, y - mean
    kernel = (x @ x.T).double()
    values, vectors = torch.linalg.eigh(kernel)
    inside = vectors.T @ y  # (n, targets)
    errors = {}
    for ridge in RIDGES:
        weights = 1 / (values.clamp_min(0) + ridge)
        dual = vectors @ (weights[:, None] * inside)
        left_out = dual / (vectors.square() @ weights)[:, None]  # closed form of the leave-one-out residuals
        errors[ridge] = float(left_out.square().sum() / y.square().sum())
        print(f"ridge {ridge:g}: left-out error {errors[ridge]:.4f} of the variance")
    ridge = min(errors, key=lambda r: errors[r])
    dual = vectors @ (inside / (values.clamp_min(0) + ridge)[:, None])
    predicted = kernel @ dual
    main = torch.linalg.eigh(predicted.T @ predicted).eigenvectors[:, -RANK:]  # (targets, rank)
    reduce = ((x.T @ (dual @ main).float()) * scales[:, None]).T  # (rank, features)
    # Half precision needs the factors in its range: the rows of `reduce` get length 1.
    length = reduce.norm(dim=1)
    tensors = {
        "reduce": (reduce / length[:, None]).half().contiguous(),
        "expand": (main.float() * length).half().contiguous(),
    }
    tensors["bias"] = mean.float() - tensors["expand"].float() @ (tensors["reduce"].float() @ centre)
    return tensors, ridge


def explained(found: Tensor, ws: Tensor, mean: Tensor) -> float:
    """The share of the variance of ws around `mean` that `found` explains."""
    return float(1 - (groups(found) - groups(ws)).square().sum() / (groups(ws) - mean).square().sum())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path, help="the file to write")
    parser.add_argument("--folder", type=Path, required=True, help="keeps the images; a later run finds them")
    parser.add_argument("--samples", type=int, default=5120, help="images to learn from")
    parser.add_argument("--held-out", type=int, default=128, help="images to judge by")
    arguments = parser.parse_args()
    keep_freed_memory()
    generator = load(GENERATOR)
    known = samples(arguments.folder, generator, FIRST_SEED, arguments.samples)
    unknown = samples(arguments.folder, generator, FIRST_HELD_OUT, arguments.held_out)
    tensors, ridge = fit(known["features"], groups(known["ws"]))
    tensors["rows"] = torch.tensor([sum(row >= cut for cut in CUTS) for row in range(generator.num_ws)])
    metadata = {
        "generator": generator.fingerprint,
        "generator_name": GENERATOR,
        "made_by": f"scripts/train_encoder.py --samples {len(known['ws'])}, ridge {ridge:g}",
        "trained_on": f"images of {GENERATOR} alone, seeds from {FIRST_SEED}, psi 0.7 and 1; no photos",
        "limits": "a starting point, not a projection; aligned faces in FFHQ's crop; photos are outside what it saw",
        "licence": "non-commercial research: fitted on images of mobile-ffhq, distilled from StyleGAN2-FFHQ",
    }
    encoder = Encoder(tensors, metadata)
    with torch.inference_mode():
        found = torch.cat([encoder(part / 127.5 - 1) for part in unknown["pictures"].split(16)])
    share = explained(found, unknown["ws"], groups(known["ws"]).mean(dim=0))
    metadata["held_out"] = f"explains {share:.3f} of the variance of w on {len(found)} seeds from {FIRST_HELD_OUT}"
    with atomic_path(arguments.out) as temporary:
        temporary.write_bytes(save({name: value.contiguous() for name, value in tensors.items()}, metadata))
    print(f"{arguments.out}: ridge {ridge:g}; {metadata['held_out']}")


if __name__ == "__main__":
    main()
