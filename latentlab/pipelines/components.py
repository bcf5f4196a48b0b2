"""The networks that a pipeline works with, each loaded at its first use."""

from __future__ import annotations

import copy
from functools import cached_property
from pathlib import Path

import torch

import stylegan2
from latentlab.devices import find_device
from latentlab.errors import UserError
from latentlab.faces import FaceDetector, load_detector
from latentlab.faces.identity import FaceDescriptor
from latentlab.mapping import OneClass, check_has_w, check_square
from latentlab.perceptual import PerceptualDistance, load_perceptual
from latentlab.precision import Precision, dtype_of, fast_dtype
from latentlab.rendering import AS_TENSORS, Renderer, check_channels, img_channels
from latentlab.scorers import Scorer, check_score, default_scorer, load_scorer, scored_channels, takes_square
from stylegan2.protocol import Generator

_DEFAULT_SCORER = "fer"


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
        scorer: str | Scorer | None,
        detector: str | FaceDetector,
        descriptor: FaceDescriptor | None,
        perceptual: PerceptualDistance | None,
        device: torch.device,
    ) -> None:
        self._network, self._scorer, self._detector = network, scorer, detector
        self._descriptor, self._perceptual = descriptor, perceptual
        self._rescored: dict[str, Components] = {}
        self.device = device

    @classmethod
    def load(
        cls,
        network: str | Path | Generator = "mobile-ffhq",
        scorer: str | Scorer | None = None,
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
            See `latentlab.load_scorer`. None for the one that taught the direction that is edited along, where its card
            says so, and for 'fer' in all else.
        detector
            'dlib68', 'dlib5', or a detector of your own.
        descriptor
            Face descriptor; None for dlib's.
        perceptual
            Perceptual distance in which results are reported; None for LPIPS with VGG16.
        device
            'cpu', 'cuda', 'mps', or 'auto' for the best available one. A loaded generator brings its own.

        Raises
        ------
        UserError
            If the device is not available. A network that cannot be loaded raises at its first use.
        """
        place = find_device(device) if isinstance(network, str | Path) else network.w_avg.device
        return cls(network, scorer, detector, descriptor, perceptual, place)

    def __repr__(self) -> str:
        return f"Components({self.network_name!r}, {self.scorer_name!r}, on {self.device})"

    @property
    def network_name(self) -> str:
        """Name or path by which the generator was asked for; the class of one that was given as an object."""
        return str(self._network) if isinstance(self._network, str | Path) else type(self._network).__name__

    @property
    def scorer_name(self) -> str:
        """Name by which the scorer was asked for; the class of one that was given as an object."""
        if self._scorer is None:
            return _DEFAULT_SCORER
        return self._scorer if isinstance(self._scorer, str) else type(self._scorer).__name__

    @property
    def scorer_is_chosen(self) -> bool:
        """Whether a scorer was asked for, rather than left to what is done."""
        return self._scorer is not None

    def with_scorer(self, name: str) -> Components:
        """Return the same networks with another scorer; equal calls return the same object, and load it once."""
        if name == self.scorer_name:
            return self
        if name not in self._rescored:
            changed = copy.copy(self)
            changed.__dict__.pop("scorer", None)  # the one that was loaded already
            changed._scorer, changed._rescored = name, {}
            changed.generator = self.generator  # which is large, and would be loaded by each of them
            self._rescored[name] = changed
        return self._rescored[name]

    @cached_property
    def generator(self) -> Generator:
        """The generator."""
        given = self._network
        return stylegan2.load(given, device=self.device) if isinstance(given, str | Path) else given

    def of_class(self, class_label: int | None) -> Components:
        """Return the same networks, with the generator as that of one of its classes; for None these themselves.

        Raises
        ------
        UserError
            If the generator has no such class.
        """
        if class_label is None:
            return self
        chosen = copy.copy(self)
        chosen._rescored = {}
        chosen.generator = OneClass(self.generator, class_label)
        return chosen

    @property
    def plain_generator(self) -> Generator:
        """The generator, for training sets and comparisons: unconditional, of square colour images; else UserError."""
        if self.generator.c_dim:
            raise UserError(
                f"{self.network_name} is conditional ({self.generator.c_dim} classes); training sets and comparisons "
                "take an unconditional generator"
            )
        check_has_w(self.generator, "drawing training sets and comparisons")
        check_square(self.generator, "drawing training sets and comparisons")
        self._check_colour("drawing training sets and comparisons", "take a generator of colour images")
        return self.generator

    def check_images(self, scored: bool = False, what: str = "writing them to files") -> None:
        """Refuse a generator whose images are neither grey nor in colour, or are not what the scorer takes.

        Parameters
        ----------
        scored
            Whether images are scored.
        what
            What else is done with them, for the message.

        Raises
        ------
        UserError
            If so; the message names the images of the network, and what takes others.
        """
        check_channels(self.generator, "scoring them" if scored else what, name=self.network_name)
        if not scored:
            return
        if takes_square(self.scorer):
            check_square(self.generator, f"the scorer {self.scorer_name}, which knows faces in FFHQ's framing,")
        takes = scored_channels(self.scorer)
        if takes is not None:
            advice = "score them by a function of your own (latentlab.FunctionScorer)"
            check_channels(self.generator, f"the scorer {self.scorer_name}", (takes,), self.network_name, advice)

    def check_takes_photos(self) -> None:
        """Refuse, for photos of faces, a generator without W or without square colour images; UserError."""
        check_has_w(self.generator, "projection")
        check_square(self.generator, "editing and projecting photos of faces")
        self._check_colour(
            "the work on faces in photos", "the latents of grey images are found in Python, by latentlab.project"
        )

    def _check_colour(self, what: str, for_grey: str) -> None:
        advice = for_grey if img_channels(self.generator) == 1 else AS_TENSORS
        check_channels(self.generator, what, (3,), self.network_name, advice)

    def renderer(self, resolution: int | None = None, precision: Precision = "float32") -> Renderer:
        """The generator at a resolution, by default its own; UserError if it does not render at that one."""
        size = self.generator.resolution if resolution is None else resolution
        return Renderer(self.generator, size, dtype=dtype_of(precision, self.device))

    def check_attribute(self, attribute: str) -> None:
        """Refuse an attribute that the scorer does not score; UserError names those it does, and a scorer for it."""
        try:
            check_score(self.scorer.names, attribute)
        except UserError as error:
            try:
                other = default_scorer(attribute)
            except UserError:
                raise error from None
            raise UserError(f"{error}; the scorer {other} scores it") from None

    @cached_property
    def scorer(self) -> Scorer:
        """The scorer: images to named scores."""
        if self._scorer is None or isinstance(self._scorer, str):
            return load_scorer(self.scorer_name, self.device)
        return self._scorer

    @cached_property
    def detector(self) -> FaceDetector:
        """The face detector: photos to faces with their landmarks."""
        return load_detector(self._detector) if isinstance(self._detector, str) else self._detector

    @cached_property
    def descriptor(self) -> FaceDescriptor:
        """The face descriptor, which tells people apart."""
        return self._descriptor or FaceDescriptor()

    @cached_property
    def perceptual(self) -> PerceptualDistance:
        """Perceptual distance in float32, for reported figures."""
        return self._perceptual or load_perceptual("vgg", self.device)

    @cached_property
    def alex_perceptual(self) -> PerceptualDistance:
        """Perceptual distance with AlexNet, with which edits are often reported; the one that was given, if any."""
        return self._perceptual or load_perceptual("alex", self.device)

    @cached_property
    def fast_perceptual(self) -> PerceptualDistance:
        """Perceptual distance in the floating-point type that the hardware is fastest in, for optimisation."""
        dtype = fast_dtype(self.device)
        if self._perceptual is not None or dtype is torch.float32:
            return self.perceptual
        return load_perceptual("vgg", self.device, dtype)
