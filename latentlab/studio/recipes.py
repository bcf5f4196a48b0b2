"""The Python code and the command line that make an edited image again."""

from __future__ import annotations

import shlex
from dataclasses import dataclass

import numpy as np

from latentlab.directions import Direction
from latentlab.directions.styles import StyleChannels
from latentlab.errors import UserError
from latentlab.pipelines.photos.settings import PhotoRecipe, photo_recipe
from latentlab.studio.faces import CodeFace, PhotoFace, SeedFace, photo_of
from latentlab.studio.networks import Networks
from latentlab.studio.session import Edit, Session
from latentlab.studio.subjects import Steps

CODE = "code.npz"
EDIT = "edit.safetensors"
FOLDER = "again"

_TAKEN = ("image", "walk", "code", "edit", FOLDER)  # names, without suffix, of what an export and its recipe write


@dataclass(frozen=True)
class Recipe:
    """How to make an image again.

    Attributes
    ----------
    python
        A program that writes it as again.png.
    command
        A command line that writes it into the folder again.
    files
        Names of exported files that the two read, besides copies of the visitor's own.
    """

    python: str
    command: str
    files: tuple[str, ...] = ()


def recipe_of(session: Session, networks: Networks) -> Recipe:
    """Write down how to make a session's image again.

    Raises
    ------
    UserError
        If no face is picked, or a direction is unknown.
    """
    face, steps = session.picked(), networks.steps(session)
    photo = photo_of(face)
    if photo is not None:
        code = face.path.name if isinstance(face, CodeFace) else None
        python = _python_of_photo(photo, code, session.edit, networks)
        return Recipe(python, _command_of_photo(photo, code, session, networks, steps))
    assert not isinstance(face, PhotoFace)
    command, files = _command(face, session, networks, steps)
    return Recipe(_python(face, session.edit, networks), command, files)


# --- Python -------------------------------------------------------------------------------------------------


def _python(face: SeedFace | CodeFace, edit: Edit, networks: Networks) -> str:
    own = f"ll.load_latents({face.path.name!r})" if isinstance(face, CodeFace) else _ws_of(face.seed, face.psi)
    lines = [*_imports(edit), f"generator = ll.load_generator({networks.network_name!r})", f"ws = {own}"]
    if isinstance(face, SeedFace) and face.mix is not None:
        lines += [
            f"other = {_ws_of(face.mix.seed, face.psi)}",
            f"ws = ll.style_mix(ws, other, range({face.mix.first}, {face.mix.last + 1}))",
        ]
    lines += [
        *_edits(edit, networks, "generator.num_ws"),
        "image = ll.Renderer(generator, generator.resolution)(ll.move(ws, edits, generator))",
        'll.save_image(image, "again.png")',
    ]
    return "\n".join(lines) + "\n"


def _ws_of(seed: int, psi: float) -> str:
    return f"generator.mapping(ll.z_from_seeds([{seed}], generator.z_dim), psi={psi!r})"


def _python_of_photo(face: PhotoFace, code: str | None, edit: Edit, networks: Networks) -> str:
    recipe = _recipe_arguments(face.recipe)
    photos = "from latentlab.pipelines.photos import Pasting, PhotoSettings, photo_recipe, project_photos"
    pasting = "from latentlab.pipelines.photos.pasting import paste"
    lines = [
        *_imports(edit, photos, pasting),
        f"recipe = photo_recipe({', '.join(recipe)})",
        f"settings = PhotoSettings(recipe.projection, recipe.tuning, face={face.number})",
        f"components = ll.Components.load({networks.network_name!r})",
        f'((_, result),) = project_photos([{photo_file(face)!r}], components, settings, "again")',
        "portrait, generator = result.portrait, result.portrait.generator",
        "latents = portrait.latents",
        *([f'latents["ws"] = ll.load_latents({code!r}).to(generator.w_avg.device)'] if code else []),
        *_edits(edit, networks, "generator.num_ws"),
        "crop = portrait.render(ll.move(latents, edits, generator))",
        'll.save_image(paste(portrait, crop.cpu(), Pasting()), "again.png")',
    ]
    return "\n".join(lines) + "\n"


def _imports(edit: Edit, *lines: str) -> list[str]:
    chosen = ["from latentlab.directions import match_layers"] if edit.strengths and edit.layers is not None else []
    return ["import latentlab as ll", *chosen, *lines, ""]


def _edits(edit: Edit, networks: Networks, num_ws: str) -> list[str]:
    lines = ["edits = ["]
    for name, strength in edit.strengths:
        known = networks.directions.get(name)
        loaded = f"ll.load_direction({name!r})" if known else f"ll.load_direction({own_file(name)!r})"
        if edit.layers is not None and (known is None or known.space in ("w", "w+")):
            loaded = f"match_layers({loaded}, {num_ws}, range({edit.layers[0]}, {edit.layers[1] + 1}))"
        lines.append(f"    ({loaded}, {strength!r}),")
    return [*lines, "]"] if edit.strengths else ["edits = []"]


def own_file(name: str) -> str:
    """Name of the file in which a visitor's own direction is exported."""
    return f"{name}.safetensors"


def photo_file(face: PhotoFace) -> str:
    """Name of the file in which a photo is exported: its own, unless the export or its recipe writes that."""
    taken = face.path.stem.lower() in _TAKEN  # not every file system tells image.png from Image.PNG
    return f"photo-{face.path.name}" if taken else face.path.name


def _recipe_arguments(recipe: PhotoRecipe) -> list[str]:
    fast, tune, steps = recipe_options(recipe)
    options = [f"steps={steps}"] if steps is not None else []
    return [*options, *([] if tune else ["tune=False"]), *(["fast=True"] if fast else [])]


def recipe_options(recipe: PhotoRecipe) -> tuple[bool, bool, int | None]:
    """Whether it is a quick look, whether it refines, and its steps where they are not the recipe's own."""
    tune, steps = recipe.tuning is not None, recipe.projection.steps
    for fast in (False, True):
        whole = photo_recipe(recipe.projection.space, tune=tune, fast=fast)
        if recipe == whole:
            return fast, tune, steps if fast else None
        if steps < whole.projection.steps and recipe == whole.shortened(steps):
            return fast, tune, steps
    raise UserError("this recipe of a projection has no options of the command line")


# --- the command line ---------------------------------------------------------------------------------------


def _command(
    face: SeedFace | CodeFace, session: Session, networks: Networks, steps: Steps
) -> tuple[str, tuple[str, ...]]:
    """A command, and the exported files that it reads."""
    end = [*_network(networks), "--out", FOLDER]
    if isinstance(face, CodeFace):
        return shlex.join([*_moves(session, networks, steps), "--latents", face.path.name, *end]), ()
    seeds = ["--seeds", str(face.seed), "--psi", repr(face.psi)]
    if face.mix is None:
        words = [*_moves(session, networks, steps), *seeds] if steps else ["latentlab", "generate", *seeds]
        return shlex.join([*words, *end]), ()
    combined = combined_styles(steps)  # no command mixes styles: the code has all that moves w
    if combined is None:
        return shlex.join([*_moves(session, networks, ()), "--latents", CODE, *end]), (CODE,)
    words = ["latentlab", "edit", "--direction", EDIT, f"--strengths={combined[1]!r}"]
    return shlex.join([*words, "--latents", CODE, *end]), (CODE, EDIT)


def _command_of_photo(face: PhotoFace, code: str | None, session: Session, networks: Networks, steps: Steps) -> str:
    """A command for the face of a photo, or for a code in its place."""
    fast, tune, count = recipe_options(face.recipe)
    options = [*_network(networks), *(["--steps", str(count)] if count is not None else [])]
    options += [*([] if tune else ["--no-tune"]), *(["--fast"] if fast else []), "--face", str(face.number)]
    if code is None and not steps:
        return shlex.join(["latentlab", "project", photo_file(face), *options, "--out", FOLDER])
    source = ["--photo", photo_file(face), *(["--latents", code] if code is not None else [])]
    return shlex.join([*_moves(session, networks, steps), *source, *options, "--out", FOLDER])


def _moves(session: Session, networks: Networks, steps: Steps) -> list[str]:
    """The beginning of a command that edits as a session does, or with strength 0 where there are no steps."""
    edit, words = session.edit, ["latentlab", "edit"]
    if not steps:
        some = next(iter([*networks.directions, *session.own]), "DIRECTION")
        return [*words, "--direction", _named(some, session), "--strengths=0.0"]
    option = "--strengths" if len(steps) == 1 else "--strength"
    for name, strength in edit.strengths:
        words += ["--direction", _named(name, session), f"{option}={strength!r}"]
    chosen = edit.layers is not None and any(direction.space in ("w", "w+") for direction, _ in steps)
    return [*words, *(["--layers", f"{edit.layers[0]}-{edit.layers[1]}"] if chosen and edit.layers else [])]


def _named(name: str, session: Session) -> str:
    return own_file(name) if name in session.own else name


def _network(networks: Networks) -> list[str]:
    return [] if networks.network_name == "mobile-ffhq" else ["--network", networks.network_name]


def combined_styles(steps: Steps) -> tuple[Direction, float] | None:
    """Combine the steps along style channels into one: a direction, and its strength; None where there are none."""
    moves: dict[tuple[str, int], tuple[float, float]] = {}  # by channel: how far in its scale, and the scale
    some: Direction | None = None
    for direction, strength in steps:
        channels = direction.channels
        if channels is None:
            continue
        some = direction
        numbers = zip(channels.layers, channels.indices.tolist(), channels.scales, direction.vector, strict=True)
        for layer, index, own, part in numbers:
            far, scale = moves.get((layer, index), (0.0, float(own)))
            moves[layer, index] = far + strength * float(part) * float(own) / scale, scale
    length = float(np.linalg.norm([far for far, _ in moves.values()]))
    if some is None or not length:
        return None
    found = StyleChannels(
        tuple(layer for layer, _ in moves),
        np.array([index for _, index in moves]),
        np.array([scale for _, scale in moves.values()], dtype=np.float32),
    )
    vector = np.array([far / length for far, _ in moves.values()], dtype=np.float32)
    method = "several edits at once"
    return Direction(vector, "edit", method, "s", generator=some.generator, channels=found), length
