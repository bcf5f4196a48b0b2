"""The networks and directions that all sessions share: loaded once, used by one thread at a time where that matters."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path

import torch
from torch import Tensor

from latentlab.directions import Direction, load_direction, match_layers
from latentlab.directions.shipped import shipped_directions
from latentlab.errors import UserError
from latentlab.latents import load_latents, match_rows
from latentlab.mapping import check_has_w, check_square, ws_of_seeds
from latentlab.pipelines import Components
from latentlab.pipelines.photos import CheckedPhoto, PhotoSettings, Portrait, check_photos
from latentlab.pipelines.walks import walk_renderer
from latentlab.projection import WStatistics, w_statistics
from latentlab.rendering import Renderer
from latentlab.studio.faces import Face, PhotoFace, SeedFace, photo_of
from latentlab.studio.session import Session
from latentlab.studio.subjects import Figures, Steps, Subject
from stylegan2 import style_mix

_KEPT = 32  # subjects; the latents and a preview each
_PHOTOS = 3  # with all of their faces in full
_PORTRAITS = 4  # each with its photo and a refined generator


class Networks:
    """Generator, scorer and whatever else sessions need, with the directions that fit.

    Attributes
    ----------
    components
        The networks.
    """

    def __init__(self, components: Components) -> None:
        check_has_w(components.generator, "the studio")
        check_square(components.generator, "the studio")
        components.check_images(scored=True)
        self.components = components
        self._lock, self._detecting = threading.Lock(), threading.Lock()
        self.preview, self.size = walk_renderer(components, precision="auto")
        self._subjects: OrderedDict[Face, Subject] = OrderedDict()
        self._faces: OrderedDict[tuple[Path, int], list[CheckedPhoto]] = OrderedDict()
        self._portraits: OrderedDict[PhotoFace, Portrait] = OrderedDict()

    @property
    def num_ws(self) -> int:
        """Rows of ws."""
        return self.components.generator.num_ws

    @property
    def network_name(self) -> str:
        """The generator's name, as it is given to a command."""
        return self.components.network_name

    @cached_property
    def directions(self) -> Mapping[str, Direction]:
        """Directions that come with the package and fit the generator, by name."""
        found = {}
        for name in shipped_directions():
            direction = load_direction(name)
            try:
                direction.check(self.components.generator)
            except UserError:
                continue
            found[name] = direction
        return found

    @cached_property
    def statistics(self) -> WStatistics:
        """Mean and spread of w, by which distances are measured."""
        return w_statistics(self.components.generator)

    def warm_up(self) -> None:
        """Load what the first edit needs, so that no session waits for it; what it does not need may be missing."""
        subject = self.subject(SeedFace(0))
        subject.figures((), self.statistics)
        assert self.directions is not None

    def own_direction(self, path: str | Path) -> Direction:
        """Read a direction from a visitor's file.

        Raises
        ------
        UserError
            If the file is not a direction, or does not fit the generator; the message names the file, not its folder.
        """
        path = Path(path)
        try:
            direction = load_direction(path)
            if direction.generator is None:
                direction = load_direction(path, generator=self.components.generator)
            direction.check(self.components.generator)
        except UserError as error:
            raise UserError(str(error).replace(str(path), path.name)) from error
        if direction.space == "z":
            raise UserError(f"{path.name} moves z, and faces here are edited in w and styles; give one of these")
        return direction

    def steps(self, session: Session) -> Steps:
        """The directions of a session's edit, as they move its face, and their strengths.

        Raises
        ------
        UserError
            If a direction is unknown, or moves none of the chosen layers.
        """
        edit, known = session.edit, {**self.directions, **session.own}
        found = []
        for name, strength in edit.strengths:
            if name not in known:
                raise UserError(f"there is no direction {name} here any more; load its file again")
            direction = known[name]
            if edit.layers is not None and direction.space in ("w", "w+"):
                direction = match_layers(direction, self.num_ws, range(edit.layers[0], edit.layers[1] + 1))
            found.append((direction, strength))
        return found

    def figures(self, subject: Subject, steps: Steps) -> Figures:
        """Measure the preview of a face's edit, see `Subject.figures`."""
        return subject.figures(steps, self.statistics)

    def subject(self, face: Face) -> Subject:
        """The face as networks see it; the latest ones are kept.

        Raises
        ------
        UserError
            If the rows of a mix are not the generator's, or the projection of a photo's face is no longer kept.
        """
        with self._lock:
            if face in self._subjects:
                self._subjects.move_to_end(face)
                return self._subjects[face]
        subject = self._subject(face)
        with self._lock:
            self._subjects[face] = subject
            while len(self._subjects) > _KEPT:
                self._subjects.popitem(last=False)
        return subject

    def keep(self, face: PhotoFace, portrait: Portrait) -> None:
        """Keep the result of projecting a photo's face, to be edited."""
        with self._lock:
            self._portraits[face] = portrait
            self._portraits.move_to_end(face)
            outdated = {face}
            while len(self._portraits) > _PORTRAITS:
                outdated.add(self._portraits.popitem(last=False)[0])
            for one in [one for one in self._subjects if photo_of(one) in outdated]:
                del self._subjects[one]

    def is_open(self, face: PhotoFace) -> bool:
        """Whether the projection of a photo's face is kept here."""
        with self._lock:
            return face in self._portraits

    def _subject(self, face: Face) -> Subject:
        if isinstance(face, SeedFace):
            return Subject(face.title, {"ws": self._ws(face)}, self.preview, self.size, self.components)
        if isinstance(face, PhotoFace):
            return self.subject_of(self._portrait(face), face.title)
        ws = match_rows(load_latents(face.path), self.num_ws).to(self.components.device)
        if face.photo is None:
            return Subject(face.title, {"ws": ws}, self.preview, self.size, self.components)
        return self.subject_of(self._portrait(face.photo), face.title).with_ws(ws)

    def _portrait(self, face: PhotoFace) -> Portrait:
        with self._lock:
            portrait = self._portraits.get(face)
        if portrait is None:
            raise UserError(f"{face.title} is not open any more: project it again, which goes quickly the second time")
        return portrait

    def subject_of(self, portrait: Portrait, title: str) -> Subject:
        """A portrait as a face that is edited."""
        # A refined generator renders at its full resolution alone.
        resolution = min(r for r in portrait.generator.resolutions if r >= self.size)
        renderer = Renderer(portrait.generator, resolution, dtype=self.preview.dtype)
        return Subject(title, portrait.latents, renderer, self.size, self.components, portrait)

    def faces(self, path: Path) -> list[CheckedPhoto]:
        """The faces in a photo, see `faces_in`; those of the latest photos are kept."""
        key = path, path.stat().st_mtime_ns
        with self._detecting:  # apart from the other lock, for which moving sliders wait
            if key not in self._faces:
                self._faces[key] = faces_in(path, self.components)
            self._faces.move_to_end(key)
            while len(self._faces) > _PHOTOS:
                self._faces.popitem(last=False)
            return self._faces[key]

    @torch.inference_mode()
    def _ws(self, face: SeedFace) -> Tensor:
        generator = self.components.generator
        ws = ws_of_seeds(generator, [face.seed], face.psi)
        if face.mix is None:
            return ws
        if face.mix.last >= self.num_ws:
            raise UserError(f"the rows of ws are 0 to {self.num_ws - 1}, not {face.mix.first} to {face.mix.last}")
        return style_mix(ws, ws_of_seeds(generator, [face.mix.seed], face.psi), face.mix.rows)


def faces_in(path: Path, components: Components) -> list[CheckedPhoto]:
    """Find the faces in a photo, the largest first, with their quality checks.

    Raises
    ------
    UserError
        If there is none, or the generator does not take photos; the message names the photo, not its folder.
    """
    components.check_takes_photos()
    faces = []
    for _, found in check_photos([path], components, PhotoSettings(face="all"), progress=False):
        if isinstance(found, UserError):
            raise UserError(str(found).replace(str(path), path.name)) from found
        faces.append(found)
    return faces
