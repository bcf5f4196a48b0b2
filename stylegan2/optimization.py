"""Make a generator as fast as its device allows, in one call, and say what that gained."""

from __future__ import annotations

import copy
import importlib.util
import os
import shutil
import statistics
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import torch
from torch import Tensor, nn

from stylegan2.layers import asked_dtype, without_autocast
from stylegan2.mobile import MobileGenerator, MobileSynthesis
from stylegan2.precision import DType, compute_dtype
from stylegan2.progressive import ProgressiveGenerator, ProgressiveSynthesis
from stylegan2.protocol import NoiseMode, image_size
from stylegan2.styled import StyledGenerator, StyledSynthesis

AnyGenerator = StyledGenerator | MobileGenerator | ProgressiveGenerator
AnySynthesis = StyledSynthesis | MobileSynthesis | ProgressiveSynthesis

_RUNS = 5


@dataclass(frozen=True)
class OptimizationReport:
    """What `optimize` did, and what it gained.

    Attributes
    ----------
    device
        Name of the device.
    dtype
        Type that features are computed in.
    compiled
        Whether `torch.compile` compiled the synthesis network.
    cuda_graphs
        Whether the device is given whole networks at a time, instead of operations one by one.
    why_not
        Why it was not compiled; empty where it was.
    batch_size
        Images rendered at once when the times were measured.
    before, after
        Milliseconds for such a batch, the median of five: with the generator as it was given, and now.
    psnr
        PSNR, in dB, of these images to those before; infinite where they are equal. float32 rounds at about 100 dB.
    seconds
        Time that the preparation took, once, with both measurements.
    """

    device: str
    dtype: str
    compiled: bool
    cuda_graphs: bool
    why_not: str
    batch_size: int
    before: float
    after: float
    psnr: float
    seconds: float

    def __str__(self) -> str:
        how = "compiled" + (", CUDA graphs" if self.cuda_graphs else "") if self.compiled else self.why_not
        return (
            f"{self.device}, features in {self.dtype}, {how}: {self.before:.1f} to {self.after:.1f} ms for a batch of "
            f"{self.batch_size} ({self.before / self.after:.1f} times as fast), images at {self.psnr:.0f} dB; "
            f"prepared in {self.seconds:.0f} s"
        )


class OptimizedSynthesis(nn.Module):
    """The synthesis network of an optimized generator: parts and weights are the plain one's, under the same names.

    Compiled code is made anew for each batch size and noise mode. Random noise is drawn by the plain network. Copying
    it copies the plain network.
    """

    plain: AnySynthesis
    _compiled: Any
    _resolutions: tuple[int, ...]

    def __init__(self, plain: AnySynthesis, compiled: Any | None, resolutions: tuple[int, ...]) -> None:
        super().__init__()
        # Not as a submodule of its own, which would change the names of all others.
        self.__dict__.update({name: getattr(plain, name) for name in ("_parameters", "_buffers", "_modules")})
        self.__dict__.update(plain=plain, _compiled=compiled, _resolutions=resolutions, training=plain.training)

    def __copy__(self) -> AnySynthesis:
        return copy.copy(self.plain)

    def __deepcopy__(self, memo: dict[int, Any]) -> AnySynthesis:
        return copy.deepcopy(self.plain, memo)

    def forward(
        self,
        ws: Tensor,
        noise_mode: NoiseMode = "const",
        rng: torch.Generator | int | None = None,
        resolution: int | None = None,
    ) -> Tensor:
        """Render `ws (batch, num_ws, w_dim)`; see `SynthesisNetwork.forward`."""
        if self._compiled is None or noise_mode == "random" or len(ws) == 0:
            return self.plain(ws, noise_mode, rng, resolution)
        if ws.dim() != 3 or resolution not in (None, *self._resolutions):
            return self.plain(ws, noise_mode, rng, resolution)  # which says what is wrong
        # What depends on the surroundings is settled here: a compiler would follow every change of them.
        dtype = asked_dtype(self.plain.compute_dtype, ws.device)
        with without_autocast(ws.device):
            image: Tensor = self._compiled(ws, noise_mode, resolution, dtype)
        return image.clone()  # a CUDA graph writes the next image where this one lies

    if TYPE_CHECKING:
        __call__ = forward

    def __getattr__(self, name: str) -> Any:
        """Styles, and images of them, are the plain network's, if it has them."""
        return getattr(self.plain, name) if name in ("styles", "from_styles") else super().__getattr__(name)


class OptimizedGenerator:
    """A generator with a faster synthesis; it meets `stylegan2.protocol.Generator`.

    Attributes
    ----------
    plain
        The generator that was optimized. Its weights may change: nothing is kept of them that would go stale.
    synthesis
        ws to images.
    report
        What was done, and what it gained.
    """

    def __init__(self, plain: AnyGenerator, synthesis: OptimizedSynthesis, report: OptimizationReport):
        self.plain, self.synthesis, self.report = plain, synthesis, report
        self.z_dim, self.c_dim, self.w_dim = plain.z_dim, plain.c_dim, plain.w_dim
        self.num_ws, self.resolution, self.img_channels = plain.num_ws, plain.resolution, plain.img_channels
        self.image_size = image_size(plain)

    def __repr__(self) -> str:
        return f"OptimizedGenerator({self.report})"

    @property
    def resolutions(self) -> tuple[int, ...]:
        """Resolutions that it can render at."""
        return self.plain.resolutions

    @property
    def w_avg(self) -> Tensor:
        """Mean of w, `(w_dim,)`."""
        return self.plain.w_avg

    @property
    def fingerprint(self) -> str:
        """The plain generator's: the network is the same."""
        return self.plain.fingerprint

    @property
    def mapping(self) -> Any:
        """z to ws: the plain generator's."""
        return self.plain.mapping

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
        return self.synthesis(self.mapping(z, c, psi, cutoff), noise_mode, rng)


def optimize(
    generator: AnyGenerator,
    dtype: DType | None = None,
    compile: bool | Literal["auto"] = "auto",
    batch_size: int = 1,
    resolution: int | None = None,
) -> OptimizedGenerator:
    """Make a generator as fast as its device allows; a report says what was done and what it gained.

    On a GPU the synthesis network is compiled, and given to the device as one CUDA graph. That takes a minute for each
    batch size, with and without gradients; what the compiler makes is kept on disk for later processes. On a CPU
    compiled code is no faster than the convolutions of `stylegan2.ops`, and 'auto' does without.

    Parameters
    ----------
    generator
        A generator on its device, in eval mode. Only its `compute_dtype` changes.
    dtype
        Type of features: 'float32'; 'bfloat16', for CPUs that are quick at it and GPUs; 'float16', for GPUs only.
        None leaves it as it is.
    compile
        Whether to compile; 'auto' does so on a GPU, if a C compiler and Triton are available.
    batch_size, resolution
        Batch that is prepared and timed. Others are prepared when they are first requested.

    Raises
    ------
    ValueError
        If the dtype is unknown or not for the device, or batch_size below 1.
    RuntimeError
        If `compile` is True and it cannot be compiled.

    Examples
    --------
    >>> generator = stylegan2.optimize(stylegan2.load("mobile-ffhq"), dtype="bfloat16")
    >>> print(generator.report)
    """
    if batch_size < 1:
        raise ValueError(f"batch_size must be 1 at least, not {batch_size}")
    device, begun = generator.w_avg.device, time.perf_counter()
    ws = _some_ws(generator, batch_size)
    expected, before = _timed(generator.synthesis, ws, resolution)
    if dtype is not None:
        generator.synthesis.compute_dtype = compute_dtype(dtype, device)
    why_not = _why_not_compiled(device, compile)
    compiled = None if why_not else _compiled(generator.synthesis, device)
    synthesis = OptimizedSynthesis(generator.synthesis, compiled, generator.resolutions)
    found, after = _timed(synthesis, ws, resolution)
    error = float((found.double() - expected.double()).square().mean())
    report = OptimizationReport(
        device=torch.cuda.get_device_name(device) if device.type == "cuda" else device.type,
        dtype=str(generator.synthesis.compute_dtype or torch.float32).removeprefix("torch."),
        compiled=not why_not,
        cuda_graphs=not why_not and device.type == "cuda",
        why_not=why_not,
        batch_size=batch_size,
        before=before,
        after=after,
        psnr=float(10 * torch.tensor(4 / error).log10()) if error else float("inf"),
        seconds=time.perf_counter() - begun,
    )
    return OptimizedGenerator(generator, synthesis, report)


def _some_ws(generator: AnyGenerator, batch_size: int) -> Tensor:
    """ws `(b, num_ws, w_dim)` of seeded z's, of the first class where there are classes."""
    rng = torch.Generator().manual_seed(0)
    z = torch.randn(batch_size, generator.z_dim, generator=rng, dtype=torch.float32, device="cpu")
    c = torch.eye(max(generator.c_dim, 1))[:1].expand(batch_size, -1) if generator.c_dim else None
    device = generator.w_avg.device
    with torch.no_grad():
        return generator.mapping(z.to(device), None if c is None else c.to(device))


@torch.no_grad()
def _timed(synthesis: Any, ws: Tensor, resolution: int | None) -> tuple[Tensor, float]:
    """Images, and the median time in milliseconds after two runs that are not counted."""
    times = []
    for _ in range(_RUNS + 2):
        begun = time.perf_counter()
        images = synthesis(ws, resolution=resolution)
        if ws.device.type == "cuda":
            torch.cuda.synchronize(ws.device)
        times.append(1e3 * (time.perf_counter() - begun))
    return images, statistics.median(times[2:])


def _why_not_compiled(device: torch.device, wanted: bool | Literal["auto"]) -> str:
    """Why not to compile: empty for nothing."""
    if wanted is False:
        return "not compiled, as asked"
    if device.type not in ("cpu", "cuda"):
        return f"not compiled: {device.type} devices have no compiler here"
    if wanted == "auto" and device.type == "cpu":
        return "not compiled: on a CPU it gains nothing"
    missing = [] if any(map(shutil.which, ("cc", "gcc", "clang", "cl"))) else ["a C compiler"]
    if device.type == "cuda" and importlib.util.find_spec("triton") is None:
        missing.append("Triton")
    if missing and wanted is True:
        raise RuntimeError(f"to compile takes {' and '.join(missing)}; install it, or leave compile at 'auto'")
    return f"not compiled: {' and '.join(missing)} is missing" if missing else ""


def _compiled(synthesis: Any, device: torch.device) -> Any:
    """The compiled network; what is compiled is kept in the user's cache, for later processes."""
    cache = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache"), "stylegan2", "compiled")
    os.environ.setdefault("TORCHINDUCTOR_CACHE_DIR", str(cache))
    mode = "reduce-overhead" if device.type == "cuda" else "default"
    return torch.compile(synthesis.bare_forward, dynamic=False, mode=mode)
