"""What a comparison of edits works with: networks that make, label and judge."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from latentlab import faces, perceptual
from latentlab.faces.detectors import FaceDetector
from latentlab.faces.identity import FaceDescriptor
from latentlab.perceptual import PerceptualDistance
from latentlab.scorers import MouthGeometry, Scorer
from latentlab.scorers.attributes.scorer import AttributeScorer
from stylegan2.protocol import Generator


@dataclass(frozen=True, eq=False)
class EditLab:
    """The networks, and which of them may be used for what.

    Attributes
    ----------
    generator
        Makes faces, and is what photos are projected into.
    scorer
        Labels the training faces, and calibrates how far edits go.
    judge
        Judges the results; no method is trained or calibrated with its view of the task's attribute.
    mouth
        Judges, too, by lengths.
    detector
        Finds faces, and the mouths in them.
    descriptor, perceptual
        Who it is, and how far pictures are apart.
    fast
        LPIPS in the type that the hardware is quick in, for the projections.
    """

    generator: Generator
    scorer: Scorer
    judge: AttributeScorer
    mouth: MouthGeometry
    detector: FaceDetector
    descriptor: FaceDescriptor
    perceptual: PerceptualDistance
    fast: PerceptualDistance

    @classmethod
    def of(cls, generator: Generator, scorer: Scorer, judge: AttributeScorer) -> EditLab:
        """With dlib's detector and descriptor, and LPIPS with VGG16 on the generator's device."""
        place, detector = generator.w_avg.device, faces.load_detector("dlib68")
        return cls(
            generator,
            scorer,
            judge,
            MouthGeometry(detector),
            detector,
            FaceDescriptor(),
            perceptual.load_perceptual("vgg", place),
            perceptual.load_perceptual("vgg", place, perceptual.fast_dtype(place)),
        )

    def key(self) -> dict[str, Any]:
        """Fingerprints, for JSON."""
        return {
            "generator": self.generator.fingerprint,
            "scorer": self.scorer.fingerprint,
            "judge": self.judge.fingerprint,
            "detector": self.detector.name,
        }
