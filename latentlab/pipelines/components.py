"""The networks that a pipeline works with, each loaded at its first use."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path

import torch

import stylegan2
from latentlab.devices import find_device
from latentlab.errors import UserError
from latentlab.faces import FaceDetector, load_detector
from latentlab.faces.identity import FaceDescriptor
from latentlab.perceptual import PerceptualDistance, fast_dtype, load_perceptual
from latentlab.scorers import Scorer, load_scorer
from stylegan2.protocol import Generator


class Components:
    """Generator, scorer, face detector, face descriptor and perceptual distances on one device.

    Build it with `Components.load`. Nothing is loaded before it is used: a pipeline that needs no face detector never
    asks for its weights.

    Attributes
    ----------
    device
        Device of the networks.
    """

    def __init__(
        self,
        network: str | Path | Generator,
        scorer: str | Scorer,
        detector: str | FaceDetector,
        descriptor: FaceDescriptor | None,
        perceptual: PerceptualDistance | None,
        device: torch.device,
    ) -> None:
        self._network, self._scorer, self._detector = network, scorer, detector
        self._descriptor, self._perceptual = descriptor, perceptual
        self.device = device

    @classmethod
    def load(
        cls,
        network: str | Path | Generator = "mobile-ffhq",
        scorer: str | Scorer = "fer",
        detector: str | FaceDetector = "dlib68",
        descriptor: FaceDescriptor | None = None,
        perceptual: PerceptualDistance | None = None,
        device: str | torch.device = "auto",
    ) -> Components:
        """Choose the networks; each is given by name or path, or as an object that is loaded already.

        Parameters
        ----------
        network
            Generator: a named one (`latentlab weights list`), a checkpoint's path, or a generator on `device`.
        scorer
            See `latentlab.load_scorer`.
        detector
            'dlib68', 'dlib5', or a detector of your own.
        descriptor
            Face descriptor; None for dlib's.
        perceptual
            Perceptual distance that results are reported in; None for LPIPS with VGG16.
        device
            'cpu', 'cuda', 'mps', or 'auto' for the best available one. A loaded generator brings its own.

        Raises
        ------
        UserError
            If the device is not available. What cannot be loaded raises at its first use.
        """
        place = find_device(device) if isinstance(network, str | Path) else network.w_avg.device
        return cls(network, scorer, detector, descriptor, perceptual, place)

    @cached_property
    def generator(self) -> Generator:
        """The generator; UserError if it is conditional."""
        given = self._network
        generator = stylegan2.load(given, device=self.device) if isinstance(given, str | Path) else given
        if generator.c_dim:
            raise UserError(
                f"the generator is conditional (c_dim {generator.c_dim}); pipelines take unconditional ones"
            )
        return generator

    @cached_property
    def scorer(self) -> Scorer:
        """What gives images their scores."""
        return load_scorer(self._scorer, self.device) if isinstance(self._scorer, str) else self._scorer

    @cached_property
    def detector(self) -> FaceDetector:
        """What finds faces and their landmarks."""
        return load_detector(self._detector) if isinstance(self._detector, str) else self._detector

    @cached_property
    def descriptor(self) -> FaceDescriptor:
        """What tells persons apart."""
        return self._descriptor or FaceDescriptor()

    @cached_property
    def perceptual(self) -> PerceptualDistance:
        """Perceptual distance in float32, for what is reported."""
        return self._perceptual or load_perceptual("vgg", self.device)

    @cached_property
    def fast_perceptual(self) -> PerceptualDistance:
        """Perceptual distance in the type that the hardware is quick in, for what is minimised."""
        return self._perceptual or load_perceptual("vgg", self.device, fast_dtype(self.device))
