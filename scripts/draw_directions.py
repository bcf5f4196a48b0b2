"""Draw the pictures of the shipped directions for the documentation, and write its page's tables.

    python scripts/draw_directions.py

Each is a JPEG in docs/images/directions; those of directions that no longer ship are removed. With names, these alone
are drawn.
"""

from __future__ import annotations

import argparse
import io
import runpy
from pathlib import Path

from PIL import Image

from latentlab.directions import load_direction, shipped_directions
from latentlab.files import atomic_path
from latentlab.pipelines.library import direction_walk

ROOT = Path(__file__).parents[1]
_DPI = 213  # an image of 1.2 inches has 256 pixels
_QUALITY = 52


def draw(name: str, folder: Path, device: str) -> None:
    """Draw a direction's walk as a JPEG."""
    walk, score = direction_walk(load_direction(name), device=device)
    stream = io.BytesIO()
    walk.figure(score).savefig(stream, format="png", dpi=_DPI)
    with atomic_path(folder / f"{name}.jpg") as path:
        Image.open(stream).convert("RGB").save(path, quality=_QUALITY, optimize=True, progressive=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", help="directions; by default all that ship")
    parser.add_argument("--device", default="auto")
    arguments = parser.parse_args()
    page = runpy.run_path(str(ROOT / "docs" / "_ext" / "library_page.py"))
    folder, shipped = page["PICTURES"], shipped_directions()
    for name in arguments.names or shipped:
        draw(name, folder, arguments.device)
    for path in folder.glob("*.jpg"):
        if path.stem not in shipped:
            path.unlink()
    page["PAGE"].write_text(page["filled"](page["PAGE"].read_text("utf-8")), "utf-8")


if __name__ == "__main__":
    main()
