"""What is drawn from a generator to be measured: pairs along paths, and samples of which features are kept."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from latentlab.batching import Batches
from latentlab.directions.styles import StyleSpace, styles_of_w
from latentlab.mapping import check_has_w, latents_of_codes, map_z, ws_of_seeds
from latentlab.metrics.path_length import EPSILON, PerceptualPathLength
from latentlab.pipelines.metrics.parts import Array, PartStore, Probe, probe_images
from latentlab.progress import Stage
from latentlab.projection.noise import fresh_maps
from latentlab.rendering import Latents, Renderer, with_noise_maps
from latentlab.reprs import ShortRepr
from stylegan2.protocol import Generator
from stylegan2.sampling import lerp, slerp, z_from_seeds


@dataclass(frozen=True)
class Source:
    """A generator with all that its samples depend on except their seeds.

    Attributes
    ----------
    renderer
        Generator and resolution.
    psi
        Truncation.
    class_label
        Class of a conditional generator; None for an unconditional one.
    seed_start
        First seed.
    batches
        Images rendered at once.
    """

    renderer: Renderer
    psi: float
    class_label: int | None
    seed_start: int
    batches: Batches

    @property
    def generator(self) -> Generator:
        """The generator."""
        return self.renderer.generator

    def ws(self, seeds: Sequence[int]) -> Tensor:
        """Return ws `(len(seeds), num_ws, w_dim)`."""
        return ws_of_seeds(self.generator, seeds, self.psi, self.class_label)


@torch.inference_mode()
def path_lengths(
    source: Source, name: str, pairs: int, metric: PerceptualPathLength, store: PartStore, stage: Stage
) -> Array:
    """Measure the squared speed of pairs on paths, `(pairs,)`.

    Pair k joins the latents of the seeds 2k and 2k + 1 after the first; its two images have the same noise maps, drawn
    anew for each pair.

    Parameters
    ----------
    source
        Generator and settings.
    name
        'ppl-z-full' and the like: the space of the path, and whether its points lie anywhere or at its end.
    pairs
        Number of pairs.
    metric
        Measures a pair.
    store
        Where the speeds are kept.
    stage
        Progress.
    """
    _, space, sampling = name.split("-")
    kind = f"{name}-{'face' if metric.face_crop else 'whole'}"

    def some(batch: range) -> dict[str, Array]:
        images = source.renderer(_pairs(source, batch, space, sampling))
        return {kind: metric.per_image(images[: len(batch)], images[len(batch) :])}

    def make(part: range, kinds: Sequence[str]) -> Iterator[dict[str, Array]]:
        return source.batches(part, some, least=2)

    with stage(name, "pair") as step:
        return store.collect(range(pairs), [kind], make, step)[kind]


def _pairs(source: Source, numbers: range, space: str, sampling: str) -> Latents:
    """Latents `(2 n, …)` of the pairs with some numbers: all first images, then all second ones."""
    generator = source.generator
    first = [source.seed_start + 2 * k for k in numbers]
    one, other = (
        z_from_seeds([seed + k for seed in first], generator.z_dim).to(generator.w_avg.device) for k in (0, 1)
    )
    if sampling == "full":
        t = one.new_tensor([[np.random.default_rng(seed).random()] for seed in first])  # (n, 1)
    else:
        t = one.new_zeros(len(first), 1)
    if space == "z":
        ends = (map_z(generator, slerp(one, other, at), source.psi, source.class_label) for at in (t, t + EPSILON))
    else:
        check_has_w(generator, "path length between w's")
        start, end = (map_z(generator, z, source.psi, source.class_label) for z in (one, other))
        ends = (lerp(start, end, at[:, None]) for at in (t, t + EPSILON))
    return _with_noise(generator, latents_of_codes(torch.cat(list(ends)), generator), first)


def _with_noise(generator: Generator, latents: Latents, seeds: Sequence[int]) -> Latents:
    """Latents of pairs with noise maps of their own by the seed of each pair, where the generator has maps."""
    if not isinstance(generator.synthesis, nn.Module):
        return latents
    drawn = [fresh_maps(generator, seed) for seed in seeds]
    return with_noise_maps(latents, {name: torch.cat([one[name] for one in drawn] * 2) for name in drawn[0]})


@torch.inference_mode()
def sample_outputs(
    source: Source, samples: int, probes: Mapping[str, Probe], store: PartStore, stage: Stage
) -> dict[str, Array]:
    """Render samples and apply probes to them: rows `(samples, d)` by the names of the probes."""

    def make(part: range, kinds: Sequence[str]) -> Iterator[dict[str, Array]]:
        def some(batch: range) -> dict[str, Array]:
            return probe_images(source.renderer(source.ws(batch)), probes, kinds)

        return source.batches(part, some)

    if not probes:
        return {}
    seeds = range(source.seed_start, source.seed_start + samples)
    with stage("drawing samples") as step:
        return store.collect(seeds, list(probes), make, step)


@dataclass(frozen=True, eq=False, repr=False)
class Codes(ShortRepr):
    """Codes of samples in one space.

    Attributes
    ----------
    values
        `(n, d)`.
    names
        Names of the d codes, such as 'w:3' or 'b8.conv1:391'.
    """

    values: Array
    names: tuple[str, ...]


@torch.inference_mode()
def sample_codes(source: Source, samples: int, space: str) -> Codes:
    """Return the codes of the samples in 'z', 'w' or 's', the styles of all layers but toRGB.

    Raises
    ------
    UserError
        If styles are asked for and the generator has none.
    """
    seeds = range(source.seed_start, source.seed_start + samples)
    if space == "z":
        return _numbered(z_from_seeds(seeds, source.generator.z_dim).double().numpy(), space)
    check_has_w(source.generator, f"measuring codes of {space}")
    w = torch.cat([source.ws(batch)[:, 0] for batch in _batches(seeds, 256)]).cpu().numpy()
    if space == "w":
        return _numbered(w.astype(np.float64), space)
    styles = styles_of_w(source.generator, w)
    channels = StyleSpace.of(styles)
    return Codes(channels.flatten(styles), channels.names)


def _numbered(values: Array, space: str) -> Codes:
    return Codes(values, tuple(f"{space}:{k}" for k in range(values.shape[1])))


def _batches(numbers: range, size: int) -> Iterator[range]:
    return (numbers[k : k + size] for k in range(0, len(numbers), size))
