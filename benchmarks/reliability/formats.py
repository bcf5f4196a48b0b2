"""Every format that the library reads: valid files of it, how they are damaged, and the function that reads them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from random import Random

import originals
from limits import OUT, Limits, Reader
from mutate import damaged, damaged_json
from mutate_containers import damaged_npy, damaged_safetensors, damaged_zip
from mutate_images import damaged_image
from mutate_pickles import damaged_pickle_file, damaged_stream
from mutate_tables import damaged_hdf5, damaged_parquet
from mutate_text import damaged_csv, damaged_xml
from originals import Files

import stylegan2
from latentlab import archives, directions, images
from latentlab.directions.published import load_published
from latentlab.faces.given import _read_csv, _read_json
from latentlab.generators.labels import labels_of
from latentlab.latents import load_latents
from latentlab.pipelines.measuring.results import Measurement
from latentlab.projection.deltas import WeightDelta
from latentlab.projection.result import Projection
from latentlab.samples.edits import EditTable
from latentlab.samples.store import SampleStore
from latentlab.scorers import xception
from latentlab.scorers.attributes.data import load_labels
from latentlab.scorers.attributes.scorer import load_attributes
from latentlab.scorers.relations import load_related
from latentlab.translation import load_translator
from latentlab.translation.data.masks import load_mask
from latentlab.translation.data.outlines import read_outlines

Damage = Callable[[Random, bytes, bytes], bytes]

# Images are limited by their pixels, of which each takes 12 bytes as the tensor that it becomes, and its copies.
_PICTURES = Limits(cpu=30, wall=120.0, spare=Limits.spare + 25 * images.MOST_PIXELS)
# Lists and numbers of JSON take more than their text, and annotations of masks may be large.
_ANNOTATIONS = Limits(cpu=15, wall=60.0, times=25)


@dataclass(frozen=True)
class Format:
    """A format of files.

    Attributes
    ----------
    originals
        Makes the valid inputs.
    damages
        How a file is damaged, by the end of its name; '' for all others.
    read
        Reads the file; where an input has several, their folder.
    limits
        What reading it may take.
    """

    originals: Callable[[], list[Files]]
    damages: dict[str, Damage]
    read: Reader
    limits: Limits = Limits()

    def whole(self) -> list[Files]:
        """The valid inputs, made once."""
        return _made(self.originals)

    def input(self, number: int, name: str) -> Files:
        """The damaged input of a number: the same in every run."""
        rng = Random(f"{name}:{number}")
        whole = self.whole()
        files, others = dict(rng.choice(whole)), rng.choice(whole)
        for file in rng.sample(sorted(files), 1 if rng.random() < 0.9 else min(2, len(files))):
            ending = next(end for end in self.damages if file.endswith(end))
            other = next((data for one, data in others.items() if one == file), b"")
            files[file] = self.damages[ending](rng, files[file], other)
            if len(files) > 1 and rng.random() < 0.03:
                del files[file]
        return files


@cache
def _made(make: Callable[[], list[Files]]) -> list[Files]:
    return make()


def _read_either(path: Path) -> None:
    """Read a network, whichever the file has."""
    try:
        stylegan2.load(path)
    except stylegan2.CheckpointError as error:
        if "'D'" not in str(error):
            raise
        stylegan2.load(path, "D")


def _zip_of(inner: Damage) -> Damage:
    return lambda rng, data, other: damaged_zip(rng, data, partial(_without_other, inner), other)


def _without_other(damage: Damage, rng: Random, data: bytes) -> bytes:
    return damage(rng, data, b"")


def _unpack_and_read(path: Path) -> None:
    folder = archives.unpack(path, path.parent / OUT / "set")
    for one in sorted(folder.rglob("*.png")):
        images.load_image(one)


def _drawn(path: Path) -> None:
    for one in read_outlines(path, path.stem):
        one.read(16, 16)


def _path(method: Callable[[str], object]) -> Reader:
    return lambda path: method(str(path))


_CARD: dict[str, Damage] = {"": damaged_safetensors}
FORMATS: dict[str, Format] = {
    "nvidia-pickle": Format(originals.nvidia_pickles, {"": damaged_pickle_file}, _read_either),
    "tensorflow-pickle": Format(originals.tensorflow_pickles, {"": damaged_pickle_file}, _read_either),
    "torch-zip": Format(originals.torch_zips, {"": _zip_of(damaged_pickle_file)}, _read_either),
    "torch-stream": Format(originals.torch_streams, {"": damaged_stream}, _read_either),
    "generator": Format(originals.own_generators, _CARD, _read_either),
    "openvino": Format(originals.openvino_folders, {".xml": damaged_xml, "": damaged}, stylegan2.load),
    "published-translator": Format(
        originals.published_translators,
        {
            "": lambda rng, data, other: (_zip_of(damaged_pickle_file) if data[:2] == b"PK" else damaged_stream)(
                rng, data, b""
            )
        },
        load_translator,
    ),
    "direction": Format(originals.directions, _CARD, directions.Direction.load),
    "translator": Format(originals.translators, _CARD, load_translator),
    "scorer": Format(originals.attribute_scorers, _CARD, load_attributes),
    "projection": Format(originals.projections, _CARD, Projection.load),
    "weight-delta": Format(originals.weight_deltas, _CARD, WeightDelta.load),
    "latents": Format(
        originals.latents,
        {
            ".npy": damaged_npy,
            ".npz": _zip_of(damaged_npy),
            ".pt": _zip_of(damaged_pickle_file),
            "": damaged_safetensors,
        },
        load_latents,
    ),
    "published-direction": Format(
        originals.published_directions,
        {".npy": damaged_npy, ".npz": _zip_of(damaged_npy), "": _zip_of(damaged_pickle_file)},
        lambda path: load_published(path, "smile"),
    ),
    "sample-table": Format(
        originals.sample_tables,
        {".json": damaged_json, "": damaged_parquet},
        lambda path: SampleStore.load(path).table(),
    ),
    "edit-table": Format(originals.edit_tables, {"": damaged_parquet}, EditTable.load),
    "hdf5": Format(originals.expression_weights, {"": damaged_hdf5}, xception.load),
    "labels-csv": Format(originals.labels, {"": damaged_csv}, lambda path: load_labels(path, path.parent)),
    "faces-csv": Format(originals.given_faces_csv, {"": damaged_csv}, _read_csv),
    "faces-json": Format(originals.given_faces_json, {"": damaged_json}, _read_json),
    "outlines-json": Format(originals.outlines, {"": damaged_json}, _drawn, _ANNOTATIONS),
    "labels-json": Format(originals.set_labels, {"": damaged_json}, partial(labels_of, names=["a.png", "b.png"])),
    "related-json": Format(originals.related, {"": damaged_json}, load_related),
    "measurement-json": Format(originals.measurements, {"": damaged_json}, Measurement.load),
    "image": Format(originals.images, {"": damaged_image}, images.load_image, _PICTURES),
    "mask": Format(originals.masks, {"": damaged_image}, load_mask, _PICTURES),
    "image-zip": Format(originals.image_archives, {"": _zip_of(damaged_image)}, _unpack_and_read, _PICTURES),
}
NEVER_READ = ("openvino",)  # the mobile generator has one size only, of many megabytes
