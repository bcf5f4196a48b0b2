"""Record what the `fer` library says of some faces, for the test suite to compare with.

Run it in an environment of its own with fer==25.10.3, tensorflow and opencv; it needs nothing of the project:

    python scripts/record_fer_vector.py tests/data/fer_vector.npz [IMAGE …]

The faces are drawn (cartoons, a gradient, smooth noise from a seed). Images in FFHQ's framing given besides
are cropped and added: generated faces only, since the file goes into the repository.
"""

from __future__ import annotations

import argparse
import sys
import types

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

SIZE = 64
CROP = (10 / 64, 10 / 64, 54 / 64, 54 / 64)  # left, top, right, bottom of the face in FFHQ's framing


def cartoon(mouth: int, skin: str) -> Image.Image:
    """A drawn face; `mouth` is how far its corners lie above its middle: positive smiles."""
    face = Image.new("RGB", (256, 256), "#406080")
    draw = ImageDraw.Draw(face)
    draw.ellipse((20, -10, 236, 270), fill=skin)
    for x in (85, 171):
        draw.ellipse((x - 18, 85, x + 18, 105), fill="white")
        draw.ellipse((x - 8, 87, x + 8, 103), fill="#302010")
        draw.line((x - 24, 70, x + 24, 66), fill="#302010", width=7)
    draw.line((128, 100, 120, 160, 136, 162), fill="#906050", width=4)
    points = [(128 + t, 200 - mouth * (t / 45) ** 2) for t in range(-45, 46)]
    draw.line(points, fill="#a03030", width=9)
    return face.filter(ImageFilter.GaussianBlur(2)).resize((SIZE, SIZE), Image.Resampling.LANCZOS)


def drawn() -> list[np.ndarray]:
    """The drawn crops, each (64, 64, 3) uint8."""
    crops = [np.asarray(cartoon(mouth, skin)) for mouth in (-30, 0, 30) for skin in ("#e0b090", "#805030")]
    ramp = np.linspace(0, 255, SIZE)
    crops.append(
        np.stack(
            [
                np.tile(ramp, (SIZE, 1)),
                np.tile(ramp[:, None], (1, SIZE)),
                np.full((SIZE, SIZE), 90),
            ],
            2,
        )
    )
    noise = np.random.RandomState(0).randint(0, 256, (2, 12, 12, 3)).astype(np.uint8)
    crops += [np.asarray(Image.fromarray(n).resize((SIZE, SIZE), Image.Resampling.BICUBIC)) for n in noise]
    return [crop.astype(np.uint8) for crop in crops]


def library_outputs(crops: np.ndarray) -> np.ndarray:
    """Unrounded probabilities (n, 7) from the library's own `detect_emotions` on RGB crops (n, 64, 64, 3)."""
    # Importing `fer` imports its video and detector parts too, which this does not use.
    for name in ("moviepy", "moviepy.editor", "facenet_pytorch"):
        sys.modules.setdefault(name, types.ModuleType(name))
    for name in ("VideoFileClip", "ImageSequenceClip"):
        for module in ("moviepy", "moviepy.editor"):
            setattr(sys.modules[module], name, None)
    from fer.fer import FER

    class Detector(FER):
        def _classify_emotions(self, gray_faces: np.ndarray) -> np.ndarray:
            self.probabilities = np.asarray(super()._classify_emotions(gray_faces))
            return self.probabilities

    detector = Detector(use_tflite=False, offsets=(0, 0))
    outputs = []
    for crop in crops:
        detector.detect_emotions(np.ascontiguousarray(crop[:, :, ::-1]), face_rectangles=[(0, 0, SIZE, SIZE)])
        outputs.append(detector.probabilities[0])
    return np.stack(outputs)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", help="the .npz to write")
    parser.add_argument("pictures", nargs="*", help="generated faces in FFHQ's framing to add")
    arguments = parser.parse_args()
    crops = drawn()
    for path in arguments.pictures:
        image = Image.open(path).convert("RGB")
        box = tuple(fraction * image.width for fraction in CROP)
        crops.append(np.asarray(image.resize((SIZE, SIZE), Image.Resampling.BILINEAR, box=box)))
    stacked = np.stack(crops)
    probabilities = library_outputs(stacked).astype(np.float32)
    np.savez_compressed(arguments.out, crops=stacked, probabilities=probabilities)
    print(probabilities.round(3))


if __name__ == "__main__":
    main()
