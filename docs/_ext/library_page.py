"""The tables and pictures of the page on the library of directions, made from the cards of the shipped files.

    python docs/_ext/library_page.py

writes them into docs/howto/library.md, between the marks that stand there; a test checks that they agree.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from latentlab.directions import Direction, load_direction, shipped_directions
from latentlab.directions.teaching import teacher_of
from latentlab.pipelines.library import separation
from latentlab.pipelines.measuring.measured_cards import measured_beside, measured_columns, measured_how
from latentlab.pipelines.measuring.results import WAYS

PAGE = Path(__file__).parents[1] / "howto" / "library.md"
PICTURES = Path(__file__).parents[1] / "images" / "directions"
WHAT = {
    "age": "older",
    "bangs": "bangs over the forehead",
    "beard": "a beard",
    "black-hair": "black hair",
    "eyeglasses": "glasses, at last sunglasses",
    "eyes-open": "eyes wide open, or narrowed",
    "face-width": "a wide face, or a long one",
    "gender": "what annotators call a man, or a woman",
    "light-side": "light from the right of the image, or the left",
    "make-up": "heavy make-up",
    "mouth-open": "an open mouth",
    "pitch": "the face raised, or lowered",
    "smile": "a smile",
    "smile-w": "a smile, by the SVM of earlier versions",
    "yaw": "the face turned to the right of the image, or the left",
}
"""Where positive strengths lead, in words; or negative ones."""
_COSTS = ("strength", "success", "identity", "LPIPS", "background, L1 %", "leakage")
_SPACES = {"z": "Z", "w": "W", "w+": "W+", "s": "S"}


def _table(header: list[str], rows: list[list[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _space(direction: Direction) -> str:
    if direction.channels is not None:
        return f"S, {direction.width} channels"
    layers = direction.layers
    if layers is None:
        return _SPACES[direction.space]
    run = layers == tuple(range(layers[0], layers[-1] + 1))
    return f"{_SPACES[direction.space]}, rows {f'{layers[0]}–{layers[-1]}' if run else ', '.join(map(str, layers))}"


def contents(directions: Mapping[str, Direction]) -> str:
    """What is in the library: a row for each direction."""
    rows = []
    for name, one in directions.items():
        ends = "" if one.strength_range is None else "{:.3g} to {:.3g}".format(*one.strength_range).replace("-", "−")
        teacher = f"`{teacher.score}`{', reversed' * teacher.reversed}" if (teacher := teacher_of(one)) else "unknown"
        rows.append(
            [f"[`{name}`](#{name})", WHAT[name], teacher, f"{one.method} in {_space(one)}", separation(one), ends]
        )  # fmt: skip
    return _table(["name", "moves towards", "learnt from", "learnt by", "held out", "range of strengths"], rows)


def costs(directions: Mapping[str, Direction], way: str) -> str:
    """What edits cost at equal effect: a row for each measured direction, and those of others measured beside it."""
    rows = []
    for name, one in directions.items():
        columns = measured_columns(one)
        for beside in (None, *measured_beside(one)):
            values = columns.get(way if beside is None else f"{beside}, {way}")
            if values is not None:
                title = f"`{name}`" if beside is None else f"— {beside}"
                rows.append([title, *(_cell(cost, values.get(cost, "")) for cost in _COSTS)])
    return _table(["direction", *_COSTS], rows)


def _cell(title: str, value: str) -> str:
    return (value.partition(" [")[0] if title == "success" else value).replace("-", "−")


def judges(directions: Mapping[str, Direction]) -> str:
    """On what each direction was measured, and who judged."""
    told: dict[str, list[str]] = {}
    for name, one in directions.items():
        told.setdefault(measured_how(one) or "not measured", []).append(f"`{name}`")
    return "\n".join(f"- {', '.join(names)}: {how}" for how, names in told.items())


def pictures(directions: Mapping[str, Direction]) -> str:
    """A heading and a picture for each direction."""
    parts = []
    for name, one in directions.items():
        teacher = teacher_of(one)
        falls = ", which falls along the direction" if teacher and teacher.reversed else ""
        alt = f"Three generated persons from one end of the range of {name} to the other"
        parts += [
            f"### {name}",
            f"![{alt}](../images/directions/{name}.jpg)",
            f"Towards: {WHAT[name]}. Under the images: `{teacher.score if teacher else 'unknown'}`{falls}.",
        ]
    return "\n\n".join(parts)


def blocks() -> dict[str, str]:
    """The parts of the page that are made, by their marks."""
    directions = {name: load_direction(name) for name in shipped_directions()}
    return {
        "contents": contents(directions),
        **{f"costs, {way}": costs(directions, words) for way, words in WAYS.items()},
        "judges": judges(directions),
        "pictures": pictures(directions),
    }


def filled(text: str) -> str:
    """The page with its made parts as the cards have them."""
    for mark, block in blocks().items():
        start, end = f"<!-- made: {mark} -->\n", "\n<!-- end -->"
        pattern = re.compile(re.escape(start) + ".*?" + re.escape(end), re.DOTALL)
        text, found = pattern.subn(lambda _, made=f"{start}\n{block}\n{end}": made, text)
        if found != 1:
            raise ValueError(f"the page has {found} parts with the mark {mark}")
    return text


if __name__ == "__main__":
    PAGE.write_text(filled(PAGE.read_text("utf-8")), "utf-8")
