"""Align, then paste back unedited: PSNR inside the face, on generated faces in larger photos and on given photos.

And edited, on generated faces in photos with grain: detail and colours of the face with and without what a photo keeps.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from machine import describe
from matplotlib.path import Path as Outline
from torch import Tensor

import stylegan2
from latentlab import images
from latentlab.directions import load_direction
from latentlab.editing import move
from latentlab.errors import UserError
from latentlab.faces import AlignedFace, CropGeometry, NoFace, align, face_outline, load_detector, paste_back
from latentlab.faces.cropping import cut, sample
from latentlab.faces.keeping import before_edit
from latentlab.faces.tone import tone_of
from latentlab.progress import bar
from latentlab.rendering import Renderer

FACE_SIZES = (500, 700, 1000)
CROP_RESOLUTIONS = (256, 512, 1024)
FACE, GRAIN = 700, 4  # pixels of the edited faces in their photos, and the grain of these, in levels of 255


def in_bytes(image: Tensor) -> Tensor:
    """Round an image as a file would hold it."""
    return images.to_bytes(image).float() / 127.5 - 1


def photo_of(face: Tensor, size: int, degrees: float, generator: torch.Generator) -> Tensor:
    """A photo half as large again with `face` in its middle, `size` pixels large and turned, on a soft background."""
    extent = round(1.5 * size)
    reduced = F.interpolate(face, (size, size), mode="bicubic", antialias=True)
    c, s = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    matrix = np.array([[c, s, 0.0], [-s, c, 0.0], [0.0, 0.0, 1.0]])  # pixels of the photo to pixels of the face
    matrix[:2, 2] = size / 2 - matrix[:2, :2] @ [extent / 2, extent / 2]
    laid = sample(reduced, matrix, extent, extent)
    there = sample(F.pad(torch.ones(1, 1, size - 40, size - 40), (20, 20, 20, 20)), matrix, extent, extent)
    coarse = torch.rand(1, 3, 8, 8, generator=generator) - 0.5
    return in_bytes(F.interpolate(coarse, (extent, extent), mode="bicubic").lerp(laid, there.clamp(0, 1)))


def generated(count: int) -> Iterator[tuple[str, Tensor]]:
    """Photos of generated faces, each in several sizes, with the group they belong to."""
    network = stylegan2.load("mobile-ffhq")
    rng = torch.Generator().manual_seed(0)
    for seed in range(600, 600 + count):
        face = network(stylegan2.z_from_seeds([seed], network.z_dim), psi=0.7)
        for size in FACE_SIZES:
            degrees = float(torch.rand((), generator=rng)) * 40 - 20
            yield f"generated, {size} px", photo_of(face, size, degrees, rng)


def given(paths: list[Path]) -> Iterator[tuple[str, Tensor]]:
    """Read the photos of the files, and pass over others."""
    for path in paths:
        try:
            yield "given photos", images.load_image(path)
        except UserError:
            continue


def decibels(one: Tensor, other: Tensor, where: Tensor) -> float:
    """PSNR of images in [-1, 1] over the pixels `where (h, w)` is true; infinite where they are equal."""
    error = ((one - other) / 2).square().mean(1)[0][where].mean().item()
    return -10 * math.log10(error) if error else math.inf


def measure(photo: Tensor, aligned: AlignedFace) -> tuple[float, float]:
    """PSNR inside the face: the crop in the photo's place, and only its difference, which is none."""
    height, width = photo.shape[2:]
    x, y = np.meshgrid(np.arange(width) + 0.5, np.arange(height) + 0.5)
    outline = Outline(face_outline(aligned.face.landmarks))
    where = torch.from_numpy(outline.contains_points(np.stack([x.ravel(), y.ravel()], axis=-1)).reshape(height, width))
    crop = in_bytes(aligned.image)
    plain = paste_back(crop, aligned.geometry, photo)
    carried = paste_back(crop, aligned.geometry, photo, original=crop)
    return decibels(in_bytes(plain), photo, where), decibels(in_bytes(carried), photo, where)


def table(photos: Iterator[tuple[str, Tensor]], total: int) -> None:
    """Print a row for each group of photos and resolution of the crop."""
    detector = load_detector()
    rows: dict[tuple[str, int], list[tuple[float, float, float]]] = {}
    with torch.inference_mode(), bar("pasting back") as step:
        for done, (group, photo) in enumerate(photos):
            for resolution in CROP_RESOLUTIONS:
                try:
                    (aligned,) = align(photo, detector, resolution)
                except NoFace:
                    continue
                rows.setdefault((group, resolution), []).append(
                    (aligned.geometry.length / resolution, *measure(photo, aligned))
                )
            step(done + 1, total)
    print("| photos | crop | photo's pixels to one of the crop's | PSNR, dB (lowest) | difference only, dB |")
    print("|---|---|---|---|---|")
    for (group, resolution), values in sorted(rows.items(), key=lambda row: row[0]):
        ratio, plain, carried = np.array(values).T
        shown = f"{ratio.mean():.2f} | {plain.mean():.1f} ({plain.min():.1f}) | {carried.min():.1f}"
        print(f"| {len(values)} {group} | {resolution} | {shown} |")


def laplacian(image: Tensor) -> float:
    """Root mean square of the luma's Laplacian, in levels of 255."""
    kernel = torch.tensor([[0.0, -1, 0], [-1, 4, -1], [0, -1, 0]])[None, None]
    return 127.5 * float(F.conv2d(images.luma(image), kernel).square().mean().sqrt())


def chroma(image: Tensor) -> float:
    """Root mean square of what the channels differ by from the luma, in levels of 255."""
    return 127.5 * float((image - images.luma(image)).square().mean().sqrt())


def pasted(edited: Tensor, rendered: Tensor, photo: Tensor, detail: bool, tone: bool) -> Tensor:
    """Paste an edited face into a photo, in whose middle its crop lies, keeping the photo's detail and tone or not."""
    extent = photo.shape[3]
    low, high = (extent - FACE) / 2, (extent + FACE) / 2
    corners = np.array([[low, low], [low, high], [high, high], [high, low]])
    geometry = CropGeometry.plan(corners, rendered.shape[3], (extent, extent))
    crop = cut(photo, geometry)
    own = tone_of(crop) if tone else None
    if own is not None:
        edited, rendered = own.apply(edited), own.apply(rendered)
    return paste_back(edited, geometry, photo, original=before_edit(rendered, edited, crop) if detail else None)


def kept(count: int) -> None:
    """Print detail and colours of photos, and of edits that keep them or not."""
    network = stylegan2.load("mobile-ffhq")
    rng, found = torch.Generator().manual_seed(0), dict[str, list[tuple[float, float]]]()
    smile, render = load_direction("smile-w"), Renderer(network, network.resolution)
    for seed in range(600, 600 + count):
        ws = network.mapping(stylegan2.z_from_seeds([seed], network.z_dim), psi=0.7)
        rendered, edited = (render(move(ws, strength * smile, network)).clamp(-1, 1) for strength in (0, 3))
        clean = F.pad(images.reduce(rendered, FACE), (FACE // 4,) * 4, mode="reflect")
        grain = GRAIN / 127.5 * torch.randn(clean.shape, generator=rng)
        photo, grey = in_bytes(clean + grain), in_bytes(images.luma(clean).expand_as(clean) + grain)
        for name, image in {
            "the photo": photo,
            "edited": pasted(edited, rendered, photo, True, True),
            "edited, `--no-keep-detail`": pasted(edited, rendered, photo, False, True),
            "the photo in grey": grey,
            "edited in grey": pasted(edited, rendered, grey, True, True),
            "edited in grey, `--no-keep-tone`": pasted(edited, rendered, grey, True, False),
            "edited in grey, neither kept": pasted(edited, rendered, grey, False, False),
        }.items():
            face = image[:, :, FACE // 2 : -FACE // 2, FACE // 2 : -FACE // 2]
            found.setdefault(name, []).append((laplacian(face), chroma(face)))
    print("| image | Laplacian | chroma |\n|---|---|---|")
    for name, values in found.items():
        print(f"| {name} | {np.mean([v[0] for v in values]):.1f} | {np.mean([v[1] for v in values]):.1f} |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("photos", nargs="*", type=Path, help="files or a folder; without them only generated faces")
    parser.add_argument("--faces", type=int, default=8)
    arguments = parser.parse_args()
    print(describe("torch", "dlib-bin"))
    with torch.inference_mode():
        kept(arguments.faces)
    table(generated(arguments.faces), arguments.faces * len(FACE_SIZES))
    paths = [file for path in arguments.photos for file in (sorted(path.iterdir()) if path.is_dir() else [path])]
    if paths:
        table(given(paths), len(paths))


if __name__ == "__main__":
    main()
