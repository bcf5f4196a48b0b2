"""Cards, manifests and states whose fields are anything: each reader gives a value, or one line that names the file."""

import json
import os
import struct
import textwrap
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load
from safetensors.torch import save as to_bytes

from latentlab import cards
from latentlab.comparison.costs import Stopwatch
from latentlab.datasets.manifest import SeedLog
from latentlab.directions import Direction
from latentlab.directions.response import Response
from latentlab.directions.styles import StyleChannels
from latentlab.errors import UserError
from latentlab.faces import given
from latentlab.files import read_json, write_json
from latentlab.intervals import Interval
from latentlab.pipelines.calibration import Reach
from latentlab.pipelines.equal_strengths import _Kept
from latentlab.pipelines.measuring.results import Facts, Measurement, Role, Row
from latentlab.pipelines.videos.state import VideoState
from latentlab.projection import Phase, Projection, ProjectionSettings, TuningSettings, WeightDelta
from latentlab.projection.descent import Descent, Store
from latentlab.projection.search import Search
from latentlab.samples import SampleSettings, SampleStore
from latentlab.scorers.attributes.network import AttributeNet
from latentlab.scorers.attributes.scorer import AttributeScorer
from latentlab.scorers.relations import load_related
from latentlab.translation.data.outlines import read_outlines
from latentlab.translation.data.strips import strips_in
from latentlab.translation.data.transforms import Augmentation
from latentlab.translation.describing import card_of
from latentlab.translation.methods import CycleGANConfig
from latentlab.translation.networks import EditorConfig, InstaGeneratorConfig, PatchConfig, ResNetConfig, UNetConfig
from latentlab.translation.training import TrainingSettings
from latentlab.translation.training.state import StateFolder, TrainingState
from latentlab.translation.translator import Translator
from latentlab.weights.registry import Address, Weight
from latentlab.weights.store import problem_of
from stylegan2.errors import CheckpointError
from tests.processes import run_code

NAN, HUGE, DEEP = "@NaN", "@1e400", "@deep"
WRONG = (None, "\x1b[31m", -1, 0.5, True, [], {}, [{}], 10**30, 10**400, NAN, HUGE, DEEP)
_LITERAL = {NAN: "NaN", HUGE: "1e400", DEEP: "[" * 500 + "]" * 500}

KEY = {"generator": "f" * 64, "settings": {"epochs": 2.0, "seed": 0}, "data": {"kind": "toy"}}
PROJECTION = ProjectionSettings("w+", (Phase(steps=2),), turn_every=1)


def literal(data: Any) -> str:
    text = json.dumps(data)
    for stands, value in _LITERAL.items():
        text = text.replace(f'"{stands}"', value)
    return text


def changed(data: Any, most: int = 2) -> Iterator[Any]:
    """Copies of what JSON holds, each with one value that is another, or missing, or has one too many in its list."""
    if not isinstance(data, dict | list):
        return
    places = list(data) if isinstance(data, dict) else range(min(len(data), most))
    for place in places:
        for wrong in (*WRONG, *changed(data[place], most)):
            copy = data.copy()
            copy[place] = wrong
            yield copy
        copy = data.copy()
        del copy[place]
        yield copy


@dataclass(frozen=True)
class Kind:
    """A kind of file: one that is sound, in a folder, and what reads it there."""

    write: Callable[[Path], Path]
    read: Callable[[Path], object]


def direction(path: Path) -> Path:
    channels = StyleChannels(("b4.conv1", "b8.conv0"), np.array([0, 3]), np.ones(2, np.float32))
    response = Response((-1.0, 1.0), (0.5, 1.0))
    vector = np.array([0.6, 0.8], np.float32)
    numbers = {"sigma": 1.0, "intercept": 0.1, "strength_range": (-2.0, 2.0), "statistics": {"auc": 0.9, "score": "x"}}
    Direction(vector, "smile", "svm", "s", channels=channels, response=response, **numbers).save(path)
    return path


def translator(config: Any) -> Callable[[Path], Path]:
    def write(path: Path) -> Path:
        data = {"pixels": {"a": {"channels": 3}}, "augmentation": Augmentation().as_dict()}
        training = {"method": {"at_once": 2}, "data": data, "settings": {"epochs": 2}}
        learnt = {"smile": {"direction": "d", "method": "svm", "score": "happy", "low": 0.1, "high": 0.9}}
        card = {"method": "pix2pix", "steps": 3, "training": training, "framing": "ffhq", "resolution": 64}
        Translator({"a2b": config.build()}, {**card, "learnt": learnt}).save(path)
        return path

    return write


def read_translator(path: Path) -> object:
    found = Translator.load(path)
    return card_of(found), repr(found), found.pixels("a"), found.augmentation


def scorer(path: Path) -> Path:
    AttributeScorer(AttributeNet(2, 2), ("smiling", "young"), torch.ones(2), torch.zeros(2), {"data": "x"}).save(path)
    return path


def delta(path: Path) -> Path:
    tensors = {"b4.const": torch.ones(1, 2, 4, 4)}
    WeightDelta(tensors, "f" * 64, {"rank": 2}, {"lpips": [0.1, 0.2], "drift": 0.5}).save(path)
    return path


def projection(path: Path) -> Path:
    steps, distances = torch.ones(2, dtype=torch.int64), torch.ones(2)
    Projection({"ws": torch.ones(2, 3, 4)}, PROJECTION, steps, distances, "f" * 64).save(path)
    return path


def search() -> Search:
    return Search({"ws": torch.zeros(1, 2, 4)}, PROJECTION)


def search_state(path: Path) -> Path:
    begun = search()
    begun.advance(PROJECTION, 0.5, 0.25)
    begun.save(path, KEY)
    return path


def resume_search(path: Path) -> object:
    resumed = search()
    resumed.resume(path, KEY, PROJECTION)
    return resumed.current(PROJECTION)


def descent() -> Descent:
    return Descent({"b4.weight": torch.ones(2, 3)}, TuningSettings(rank=None))


def tuning_state(path: Path) -> Path:
    begun = descent()
    begun.tensors["b4.weight"].grad = torch.ones(2, 3)
    begun.descend()
    Store(path, KEY).save(begun)
    return path


def training() -> TrainingState:
    method = CycleGANConfig(ResNetConfig(1, 2), PatchConfig(16, 2), pool_size=0).build()
    return TrainingState(method, TrainingSettings(epochs=1, batch_size=1, ema=0.5))


def training_state(path: Path) -> Path:
    folder = path.with_suffix("")
    StateFolder(folder, KEY, 0, 1, lambda: None).save(training())
    return folder / "state" / "step-00000000" / "networks.safetensors"


def resume_training(path: Path) -> object:
    return StateFolder(path.parents[2], KEY, 0, 1, lambda: None).load(training())


CARDS = {
    "direction": Kind(direction, lambda path: Direction.load(path).card()),
    "unet": Kind(translator(UNetConfig(4, 2)), read_translator),
    "resnet": Kind(translator(ResNetConfig(1, 2)), read_translator),
    "instagan": Kind(translator(InstaGeneratorConfig(1, 2)), read_translator),
    "editor": Kind(translator(EditorConfig(("smile",), 4, 1, 1)), read_translator),
    "scorer": Kind(scorer, AttributeScorer.load),
    "delta": Kind(delta, WeightDelta.load),
    "projection": Kind(projection, lambda path: repr(Projection.load(path))),
    "search": Kind(search_state, resume_search),
    "tuning": Kind(tuning_state, lambda path: Store(path, KEY).load(descent())),
    "training": Kind(training_state, resume_training),
}


def written(data: Any) -> Callable[[Path], Path]:
    def write(path: Path) -> Path:
        write_json(path, data)
        return path

    return write


def samples(path: Path) -> Path:
    settings = SampleSettings("f" * 64, "e" * 64, ("a", "b"), 0.7, 600, 10, 32, threshold=None)
    return SampleStore.open(path.with_suffix(""), settings).folder / "_manifest.json"


def read_samples(path: Path) -> object:
    store = SampleStore.load(path.parent)
    with pytest.raises(UserError, match="lacks"):  # there is no shard
        store.table()
    return store


def measurement(path: Path) -> Path:
    interval = Interval(0.9, 0.8, 1.0, 2)
    facts = Facts(
        "d", "smile", "svm", "w", False, 1.0, {"a": interval}, [0.0, 1.0], {"a": [0.0, 1.0]}, [1.0, 0.5], {"a": 1.0},
        None, 0.1,
    )  # fmt: skip
    two = np.ones(2)
    names = ("identity", "pieces", "lpips", "lpips outside", "l1", "leakage")
    rows = tuple(
        Row("d", way, two, two > 0, True, dict.fromkeys(names, two), np.ones((2, 1)), np.ones(1, int), np.ones(1, int))
        for way in ("one", "each")
    )
    found = Measurement("smile", None, np.arange(2), (facts,), (Role("a", "b", ("x",), (), rows),), np.ones((1, 1)), {})
    values = {measure.name: two for measure in found.measures}
    for row in rows:
        row.values.update(values)
    found.save(path)
    stored = read_json(path)
    write_json(path, {name: value for name, value in stored.items() if name != "summary"})
    return path


def in_folder(name: str, data: Any) -> Callable[[Path], Path]:
    return lambda path: written(data)(path.with_suffix("") / name)


WEIGHT = Weight(
    name="w", source=Address("https://example.org/w.bin", "w.bin"), note="a note", licence="a licence", kind="x"
)
FACE = {"box": [0, 0, 9, 9], "landmarks": [[k, k * k % 7] for k in range(5)], "score": 1.0}
FILES = {"w.bin": {"size": 3, "sha256": "f" * 64}}
COCO = {
    "images": [{"id": 1, "file_name": "a.png", "height": 8, "width": 8}],
    "annotations": [{"id": 1, "image_id": 1, "iscrowd": 0, "segmentation": [[0, 0, 4, 0, 4, 4]]}],
}
LABELME = {
    "shapes": [{"points": [[0, 0], [4, 0], [4, 4]], "shape_type": "polygon", "group_id": 1}],
    "imageHeight": 8,
    "imageWidth": 8,
}
STRIPS = {"kind": "strips", "levels": [-1.0, 0.0, 1.0]}
SHARES = {"away": False, "directions": {"d": {"direction": "f", "shares": {"0.0": 0.0, "1.5": 0.5}}}}
REACH = asdict(Reach(2.0, -2.0, 1.0, 0.5, Response((-2.0, 2.0), (0.5, 1.0))))


def photos_faces(path: Path) -> Path:
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps([FACE]) + "\n")
    return path


MANIFESTS = {
    "samples": Kind(samples, read_samples),
    "measurement": Kind(measurement, Measurement.load),
    "related": Kind(written({"a": ["b"], "b": []}), load_related),
    "strips": Kind(in_folder("manifest.json", STRIPS), lambda path: strips_in(path.parent, "x", (), Augmentation())),
    "coco": Kind(written(COCO), lambda path: [one.instances for one in read_outlines(path, "a")]),
    "labelme": Kind(written(LABELME), lambda path: [one.instances for one in read_outlines(path, "a")]),
    "seconds": Kind(written({"seconds": 1.5}), Stopwatch),
    "seeds": Kind(written({"used": [3], "tried": 2}), SeedLog.of),
    "reach": Kind(written(REACH), lambda path: read_json(path, Reach)),
    "shares": Kind(in_folder("equal_strengths.json", SHARES), lambda path: _Kept(path.parent, {"away": False})),
    "faces": Kind(written({"a.png": [{"landmarks": FACE["landmarks"]}, {"box": [0, 0, 9, 9]}]}), given._read_json),
    "weights": Kind(
        in_folder("manifest.json", {"source": str(WEIGHT.source), "files": FILES}),
        lambda path: problem_of(path.parent, WEIGHT, hashes=True),
    ),
}


def check(kind: Kind, path: Path, name: str) -> None:
    """The reader gives a value, or an error of the project in one printable line that names the file or its folder."""
    try:
        kind.read(path)
    except (UserError, CheckpointError) as error:
        told = str(error)
        assert path.name in told or path.parent.name in told or path.parents[2].name in told, told
        assert told.isprintable() and len(told) < 1000, told
    except Exception as error:
        raise AssertionError(f"{type(error).__name__} of {name[:300]}") from error


def with_card(tensors: dict[str, torch.Tensor], metadata: dict[str, str], card: str) -> bytes:
    return to_bytes(tensors, {**metadata, "card": card})


def contents(path: Path) -> tuple[dict[str, torch.Tensor], dict[str, str]]:
    content = path.read_bytes()
    (length,) = struct.unpack("<Q", content[:8])
    return load(content), json.loads(content[8 : 8 + length])["__metadata__"]


@pytest.mark.parametrize("kind", CARDS)
def test_any_field_of_a_card_may_be_anything(tmp_path, kind):
    path = CARDS[kind].write(tmp_path / "it.safetensors")
    CARDS[kind].read(path)
    tensors, metadata = contents(path)
    card = json.loads(metadata["card"])
    if kind in ("unet", "resnet", "instagan"):  # the rest of their card is that of the editor
        changes = ({**card, "networks": networks} for networks in changed(card["networks"], most=1))
    else:
        changes = changed(card, most=1)
    texts = list(map(literal, changes))
    texts += ["", "[]", "null", "{", '{"key": 1, "key": 2}', "\ufeff{}", "[" * 100_000, '"\\ud800"']
    for text in texts:
        path.write_bytes(with_card(tensors, metadata, text))
        check(CARDS[kind], path, text)


@pytest.mark.parametrize("kind", CARDS)
def test_tensors_of_a_card_may_be_anything(tmp_path, kind):
    path = CARDS[kind].write(tmp_path / "it.safetensors")
    tensors, metadata = contents(path)
    for name in list(tensors)[:6]:
        whole = tensors[name]
        wrong = [
            whole.double().new_full(whole.shape, float("nan")).to(torch.float32),
            torch.full(whole.shape, float("inf")),
            torch.zeros(()),
            torch.zeros(0),
            torch.zeros(4096, 0, 7, 7),
            whole.reshape(1, *whole.shape),
            torch.zeros(whole.shape, dtype=torch.int16),
            torch.zeros(whole.shape, dtype=torch.bool),
            torch.full(whole.shape, -5, dtype=torch.int64),
        ]
        for tensor in (*wrong, None):
            rest = {key: value for key, value in tensors.items() if key != name}
            path.write_bytes(to_bytes(rest if tensor is None else {**rest, name: tensor}, metadata))
            check(CARDS[kind], path, f"{name} as {tensor if tensor is None else (tensor.dtype, tensor.shape)}")
    path.write_bytes(to_bytes({**tensors, "\x1b[31m": torch.zeros(1)}, metadata))
    check(CARDS[kind], path, "a stranger")


@pytest.mark.parametrize("kind", MANIFESTS)
def test_any_entry_of_a_manifest_may_be_anything(tmp_path, kind):
    path = MANIFESTS[kind].write(tmp_path / "it.json")
    MANIFESTS[kind].read(path)
    stored = read_json(path)
    for text in (*map(literal, changed(stored)), "", "[]", "null", '"x"', "{", "[" * 100_000, "\udcff"):
        path.write_bytes(text.encode("utf-8", "surrogateescape"))
        check(MANIFESTS[kind], path, text)
    path.write_bytes(b"\xef\xbb\xbf" + json.dumps(stored).encode())
    MANIFESTS[kind].read(path)  # a byte order mark is fine


def test_faces_of_a_video_may_be_anything(tmp_path):
    path, folder = tmp_path / "faces.jsonl", VideoState(tmp_path)
    path.write_text(json.dumps([FACE]) + "\n")
    assert len(folder.read_faces()[0][0].landmarks) == 5
    for one in changed(FACE):
        path.write_text(literal([one]) + "\n")
        check(Kind(lambda path: path, lambda _: folder.read_faces()), path, literal(one))


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b'{"a": 1, "a": 2}', "'a' stands in it twice"),
        (b'{"a": NaN}', "NaN is no finite number"),
        (b'{"a": 1e400}', "1e400 is no finite number"),
        (b"[" * 500 + b"]" * 500, "nested more than 64 deep"),
        (b'"' + b"x" * (1 << 24) + b'"', "longer than the 16 MiB"),
        (b"[" + b"{}," * (5 << 20) + b"0]", "so many small values"),
    ],
)
def test_json_that_means_nothing_is_refused(tmp_path, content, told):
    (tmp_path / "a.json").write_bytes(content)
    with pytest.raises(UserError, match=f"a.json.*{told}"):
        read_json(tmp_path / "a.json")


def test_a_header_of_endless_names_is_not_followed(tmp_path):
    header = {f"{k}": {"dtype": "F32", "shape": [0], "data_offsets": [0, 0]} for k in range(20_000)}
    header["__metadata__"] = {"format": "latentlab.direction", "version": "1", "card": "{}"}
    text = json.dumps(header).encode()
    (tmp_path / "a.safetensors").write_bytes(struct.pack("<Q", len(text)) + text)
    with pytest.raises(UserError, match=r"a\.safetensors.*20000 tensors"):
        Direction.load(tmp_path / "a.safetensors")


def test_a_file_that_is_cut_short_after_it_was_read_hurts_nobody(tmp_path):
    """A map of it into memory would: what lies beyond its end kills the process."""
    delta(tmp_path / "delta.safetensors"), latents(tmp_path)
    script = f"""
        import os
        from latentlab.projection import WeightDelta
        from latentlab.latents import load_latents
        os.chdir({str(tmp_path)!r})
        found, codes = WeightDelta.load("delta.safetensors"), load_latents("codes.safetensors")
        for name in os.listdir():
            os.truncate(name, 0)
        print(float(found.tensors["b4.const"].sum()), float(codes.sum()))
    """
    done = run_code(textwrap.dedent(script))
    assert done.stdout.split() == ["32.0", "2048.0"], done.stderr


def latents(folder: Path) -> Path:
    path = folder / "codes.safetensors"
    path.write_bytes(to_bytes({"ws": torch.ones(1, 4, 512, dtype=torch.float64)}))
    return path


def test_what_has_a_card_is_asked_without_reading_pipes(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    assert not cards.has_card(tmp_path / "pipe") and not cards.has_card(tmp_path / ("x" * 5000))
