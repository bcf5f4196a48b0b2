"""Files that declare more than they have, lead elsewhere or are no files: refused by name, and in little memory."""

import io
import json
import os
import subprocess
import sys
import textwrap
import zipfile
from pathlib import Path

import h5py
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from safetensors.torch import save as to_bytes
from torch import nn

import latentlab
from latentlab.archives import unpack
from latentlab.arrays import read_arrays
from latentlab.directions import Direction
from latentlab.errors import UserError
from latentlab.files import read_json, read_text
from latentlab.latents import load_latents
from latentlab.projection import Projection
from latentlab.projection.encoder import Encoder
from latentlab.samples import EditTable, SampleSettings, SampleStore, SampleTable
from latentlab.scorers import load_attributes, xception
from latentlab.translation import published
from latentlab.translation.networks import PatchConfig, UNetConfig

# --- more declared than there is ----------------------------------------------------------------------------


def card(path: Path, form: str, content: dict, tensors: dict | None = None) -> None:
    metadata = {"format": form, "version": "1", "card": json.dumps(content)}
    path.write_bytes(to_bytes(tensors or {"x": torch.zeros(1)}, metadata))


def npy(shape: tuple, kind: str = "'<f8'", content: bytes = bytes(8)) -> bytes:
    header = f"{{'descr': {kind}, 'fortran_order': False, 'shape': {shape}, }}\n".encode()
    return b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header + content


def bomb(path: Path, name: str, head: bytes = b"", megabytes: int = 170) -> None:
    packed = zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=9)
    with packed as archive, archive.open(name, "w") as member:
        member.write(head)
        for _ in range(megabytes):
            member.write(bytes(1 << 20))


def huge_manifest(folder: Path) -> None:
    settings = SampleSettings("f" * 64, "e" * 64, ("a",), 0.7, 0, 10, 32)
    manifest = SampleStore.open(folder, settings).folder / "_manifest.json"
    stored = json.loads(manifest.read_text())
    manifest.write_text(json.dumps({**stored, "samples": 2**31, "shard_size": 1}))


def make_all(folder: Path) -> None:
    kinds = {"resnet": {"ngf": 1000, "blocks": 64}, "unet": {"ngf": 1000}, "editor": {"base_channels": 1000}}
    for kind, shape in kinds.items():
        networks = {"a2b": {"kind": kind, **shape}}
        card(folder / f"{kind}.safetensors", "latentlab.translator", {"networks": networks})
    card(folder / "scorer.safetensors", "latentlab.attribute-scorer", {"names": ["a"], "width": 1000})
    shapes = {"model.1.weight": (4096, 0, 7, 7), "model.4.weight": (1 << 30, 0, 3, 3)}
    torch.save({name: torch.zeros(shape) for name, shape in shapes.items()}, folder / "published.pth")
    (folder / "huge.npy").write_bytes(npy((10**10,)))
    (folder / "sizeless.npy").write_bytes(npy((10**10,), "'<U0'"))
    bomb(folder / "bomb.npz", "w.npy", npy((170 << 17,), content=b""))
    bomb(folder / "bomb.zip", "a.png")
    huge_manifest(folder / "samples")
    pq.write_table(pa.table({"seed": np.zeros(9_000_000, np.int64)}), folder / "edits.parquet")


READERS = """
    import resource, sys, time
    from pathlib import Path
    from latentlab.archives import unpack
    from latentlab.arrays import read_arrays
    from latentlab.errors import UserError
    from latentlab.samples import EditTable, SampleStore
    from latentlab.scorers import load_attributes
    from latentlab.translation.translator import load_translator

    folder = Path(sys.argv[1])
    cases = {
        **{f"{kind}.safetensors": load_translator for kind in ("resnet", "unet", "editor")},
        "scorer.safetensors": load_attributes, "published.pth": load_translator,
        **dict.fromkeys(("huge.npy", "sizeless.npy", "bomb.npz"), read_arrays),
        "bomb.zip": lambda path: unpack(path, folder / "out"),
        "samples": lambda path: SampleStore.load(path).table(),
        "edits.parquet": EditTable.load,
    }
    for name, read in cases.items():
        before, begun = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.monotonic()
        try:
            read(folder / name)
            print(name, "was read")
        except UserError as error:
            if name not in str(error):
                print(name, "is not named:", error)
        grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
        if grown > 100_000 or time.monotonic() - begun > 20:
            print(name, "took", grown, "kB", time.monotonic() - begun, "s")
    print("done")
"""


def test_what_a_file_declares_takes_no_memory(tmp_path):
    make_all(tmp_path)
    command = [sys.executable, "-c", textwrap.dedent(READERS), str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.stdout == "done\n", done.stdout + done.stderr
    assert not (tmp_path / "out").exists() and not (tmp_path / "out.part").exists()


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (npy((3,), "'|O'"), "could run code and is not read"),
        (npy((1,), "[('a', '<f8')]"), "not of numbers"),
        (npy((-1,)), "cut short"),
        (npy((1,))[:40], "damaged"),
        (b"\x93NUMPY\x01\x00\x10\x00{'descr': '''xxxx", "damaged"),
        (b"\x93NUMPY\x03\x00" + npy((1,))[8:], "format"),
        (b"\x93NUMPY\x01\x00\xff\x1f" + b"(" * 8191, "damaged"),
    ],
)
def test_arrays_that_are_none_are_named(tmp_path, content, told):
    (tmp_path / "a.npy").write_bytes(content)
    with pytest.raises(UserError, match=rf"a\.npy: .*{told}"):
        read_arrays(tmp_path / "a.npy")
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
        archive.writestr("w.npy", content)
    with pytest.raises(UserError, match=rf"a\.npz: .*{told}"):
        read_arrays(tmp_path / "a.npz")


def test_archives_of_arrays_with_anything_else_are_named(tmp_path):
    path, whole = tmp_path / "a.npz", npy((2,), content=np.arange(2.0).tobytes())
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("w.npy", whole)
    np.testing.assert_array_equal(read_arrays(path)["w"], [0, 1])
    path.write_bytes(path.read_bytes().replace(np.float64(1).tobytes(), np.float64(2).tobytes()))
    with pytest.raises(UserError, match=r"a\.npz: .*CRC"):
        read_arrays(path)
    with zipfile.ZipFile(path, "w") as archive, pytest.warns(UserWarning, match="Duplicate"):
        archive.writestr("w.npy", whole)
        archive.writestr("w.npy", whole)
    with pytest.raises(UserError, match=r"a\.npz: .*twice"):
        read_arrays(path)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("w.txt", whole)
    with pytest.raises(UserError, match=r"a\.npz: .*'w\.txt'"):
        read_arrays(path)


# --- what is no file ----------------------------------------------------------------------------------------

DOORS = {
    "arrays": read_arrays,
    "latents": load_latents,
    "direction": latentlab.load_direction,
    "direction of ours": Direction.load,
    "projection": Projection.load,
    "encoder": Encoder.load,
    "scorer": load_attributes,
    "translator": latentlab.load_translator,
    "published": published.load,
    "edits": EditTable.load,
    "expressions": xception.load,
    "json": read_json,
    "text": read_text,
    "archive": lambda path: unpack(path, path.with_name("out")),
}


@pytest.mark.parametrize("door", DOORS)
def test_pipes_devices_and_impossible_names_are_refused_at_every_door(tmp_path, door):
    os.mkfifo(tmp_path / "pipe")
    for path, told in (
        (tmp_path / "pipe", "is a named pipe"),
        (Path("/dev/zero"), "is a device"),
        (tmp_path, "is a folder"),
        (tmp_path / ("x" * 5000), ""),
        (tmp_path / "a\0b", ""),
    ):
        with pytest.raises(UserError, match=f"{told}|there is no file") as caught:
            DOORS[door](path)
        assert len(str(caught.value)) < 12_000


# --- HDF5 ---------------------------------------------------------------------------------------------------


def expression_network(path: Path) -> Path:
    """A file as Keras writes the expression network, with random weights."""
    network, layers = xception.MiniXception(), []
    with h5py.File(path, "w") as file:
        for name, keras in xception._keras_names().items():
            module, group = network.get_submodule(name), f"model_weights/{keras}/{keras}_1"
            arrays: dict[str, tuple[torch.Tensor, tuple[int, ...]]] = {}
            if isinstance(module, nn.BatchNorm2d):
                layers.append({"config": {"name": keras, "epsilon": 0.001}})
                means = {"moving_mean": module.running_mean, "moving_variance": module.running_var}
                vectors = {"gamma": module.weight, "beta": module.bias, **means}
                arrays = {array: (vector, (0,)) for array, vector in vectors.items()}
            elif isinstance(module, xception.SeparableConv):
                arrays["depthwise_kernel"] = module.depthwise.weight, (2, 3, 0, 1)
                arrays["pointwise_kernel"] = module.pointwise.weight, (2, 3, 1, 0)
            else:
                arrays["kernel"] = module.weight, (2, 3, 1, 0)
                arrays |= {} if module.bias is None else {"bias": (module.bias, (0,))}
            for array, (weight, order) in arrays.items():
                file[f"{group}/{array}:0"] = weight.detach().permute(order).numpy()
        file.attrs["model_config"] = json.dumps({"config": {"layers": layers}})
    return path


BIAS = "model_weights/conv2d_7/conv2d_7_1/bias:0"


def lead_elsewhere(file: h5py.File, folder: Path) -> dict:
    """Ways in which the array `BIAS` may lie outside of the file, or be packed in ways nobody knows."""
    other = folder / "other.hdf5"
    with h5py.File(other, "w") as secret:
        secret["secret"] = np.zeros(7, np.float32)
    (folder / "raw").write_bytes(bytes(28))

    def virtual() -> None:
        layout = h5py.VirtualLayout((7,), np.float32)
        layout[:] = h5py.VirtualSource(str(other), "secret", (7,))
        file.create_virtual_dataset(BIAS, layout)

    def filtered() -> None:
        made = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        made.set_chunk((7,))
        made.set_filter(32100, h5py.h5z.FLAG_OPTIONAL)
        space = h5py.h5s.create_simple((7,))
        h5py.h5d.create(file.id, BIAS.encode(), h5py.h5t.IEEE_F32LE, space, dcpl=made)

    return {
        "external link": lambda: file.__setitem__(BIAS, h5py.ExternalLink(str(other), "secret")),
        "soft link": lambda: file.__setitem__(BIAS, h5py.SoftLink("/" + BIAS)),
        "external storage": lambda: file.create_dataset(
            BIAS, (7,), np.float32, external=[(str(folder / "raw"), 0, 28)]
        ),
        "virtual": virtual,
        "filter": filtered,
        "integers": lambda: file.__setitem__(BIAS, np.zeros(7, np.int32)),
        "objects": lambda: file.create_dataset(BIAS, (7,), h5py.string_dtype()),
        "group": lambda: file.create_group(BIAS),
        "loop": lambda: file.__setitem__(BIAS, file["model_weights"]),
    }


WAYS = ("external link", "soft link", "external storage", "virtual", "filter", "integers", "objects", "group", "loop")


@pytest.mark.parametrize("way", WAYS)
def test_arrays_of_hdf5_lie_in_the_file_itself(tmp_path, way):
    path = expression_network(tmp_path / "a.hdf5")
    xception.load(path)
    with h5py.File(path, "r+") as file:
        del file[BIAS]
        lead_elsewhere(file, tmp_path)[way]()
    with pytest.raises(UserError, match=r"a\.hdf5 does not hold .*bias:0"):
        xception.load(path)


@pytest.mark.parametrize(
    "config",
    ["[" * 60_000, "{}", '{"config": {"layers": [{"config": {"epsilon": "x"}}]}}', np.zeros(3), np.bytes_(b"x")],
)
def test_the_configuration_in_hdf5_may_be_anything(tmp_path, config):
    path = expression_network(tmp_path / "a.hdf5")
    with h5py.File(path, "r+") as file:
        del file.attrs["model_config"]
        file.attrs["model_config"] = config
    with pytest.raises(UserError, match=r"a\.hdf5 does not hold .*"):
        xception.load(path)


# --- tables -------------------------------------------------------------------------------------------------


@pytest.fixture
def store(tmp_path):
    settings = SampleSettings("f" * 64, "e" * 64, ("a", "b"), 0.5, 600, 4, 32)
    store = SampleStore.open(tmp_path / "samples", settings)
    numbers = np.arange(4, dtype=np.float32)
    scores = np.stack([numbers, numbers], axis=1)
    scores[1, 0] = np.nan  # an image that could not be scored
    w = np.ones((4, 3), np.float32)
    seeds, psi = np.arange(600, 604), np.full(4, 0.5, np.float32)
    store.write(0, SampleTable(seeds, psi, w, scores, ("a", "b"), "f" * 64, "e" * 64))
    return store


def columns(store: SampleStore) -> dict:
    table = pq.read_table(store.path(0))
    return {name: table[name].combine_chunks() for name in table.column_names}


CHANGES = {
    "seeds as floats": lambda c: {**c, "seed": pa.array([600.0, 601.0, 602.0, 603.0])},
    "other seeds": lambda c: {**c, "seed": pa.array([1, 2, 3, 4])},
    "missing seed": lambda c: {**c, "seed": pa.array([600, None, 602, 603])},
    "other psi": lambda c: {**c, "psi": pa.array([0.25] * 4, pa.float32())},
    "psi as doubles": lambda c: {**c, "psi": pa.array([0.5] * 4)},
    "w of any length": lambda c: {**c, "w": pa.array([[1.0] * 3] * 4, pa.list_(pa.float32()))},
    "w as numbers": lambda c: {**c, "w": pa.array([1.0] * 4, pa.float32())},
    "w that is NaN": lambda c: {**c, "w": pa.array([[np.nan] * 3] * 4, pa.list_(pa.float32(), 3))},
    "scores as text": lambda c: {**c, "a": pa.array(["x"] * 4)},
    "missing score": lambda c: {**c, "a": pa.array([0.5, None, 0.5, 0.5], pa.float32())},
    "scores as lists": lambda c: {**c, "a": pa.array([[0.5]] * 4)},
    "renamed": lambda c: {**{k: v for k, v in c.items() if k != "b"}, "\x1b[31m": c["b"]},
    "fewer rows": lambda c: {k: v[:2] for k, v in c.items()},
}


@pytest.mark.parametrize("change", CHANGES)
def test_rows_that_are_not_those_of_the_manifest_count_as_missing(store, change):
    assert np.isnan(store.table().scores[1, 0])
    pq.write_table(pa.table(CHANGES[change](columns(store))), store.path(0))
    with pytest.warns(UserWarning, match=r"shard-00000\.parquet is broken") as warned:
        assert list(store.missing()) == [0]
    assert str(warned[0].message).isprintable()


def test_shards_that_are_no_files_or_cut_anywhere_count_as_missing(store):
    whole = store.path(0).read_bytes()
    for end in (0, 4, len(whole) // 2, len(whole) - 9, len(whole) - 4):
        store.path(0).write_bytes(whole[:end])
        with pytest.warns(UserWarning, match=r"shard-00000\.parquet is broken"):
            assert list(store.missing()) == [0]
    store.path(0).unlink()
    os.mkfifo(store.path(0))
    with pytest.warns(UserWarning, match="named pipe"):
        assert list(store.missing()) == [0]


def test_shards_of_several_widths_of_w_are_refused(tmp_path):
    store = SampleStore.open(tmp_path, SampleSettings("f" * 64, "e" * 64, ("a",), 0.5, 600, 2, 32, shard_size=1))
    for k, width in enumerate((0, 3)):
        one = np.full((1, 1), 0.5, np.float32)
        store.write(k, SampleTable(np.array([600 + k]), one[0], np.ones((1, width), np.float32), one, ("a",)))
    with pytest.raises(UserError, match="shards whose w differ in width"):
        store.table()


@pytest.mark.parametrize(
    "change",
    [
        {"strength": pa.array([np.nan, 1.0] * 2)},
        {"strength": pa.array(["x"] * 4)},
        {"seed": pa.array([1, 2, 1, 2])},
        {"seed": pa.array([1.0, 1.0, 2.0, 2.0])},
        {"a": pa.array(["x"] * 4)},
        {"a": pa.array([None, 1, 1, 1], pa.float32())},
    ],
    ids=["NaN strengths", "text strengths", "seeds in turns", "fractions as seeds", "text scores", "no score"],
)
def test_edits_of_other_types_are_refused(tmp_path, change):
    path = tmp_path / "edits.parquet"
    table = EditTable(np.array([1, 2]), np.array([0.0, 1.0]), np.ones((2, 2, 1), np.float32), ("a",))
    table.save(path)
    stored = pq.read_table(path)
    whole = {name: stored[name].combine_chunks() for name in stored.column_names}
    pq.write_table(pa.table({**whole, **change}), path)
    with pytest.raises(UserError, match=r"edits\.parquet"):
        EditTable.load(path)


def test_two_columns_of_one_name_are_refused(tmp_path):
    pq.write_table(pa.table([pa.array([1]), pa.array([1])], names=["seed", "seed"]), tmp_path / "edits.parquet")
    with pytest.raises(UserError, match=r"edits\.parquet.*two of its columns have one name"):
        EditTable.load(tmp_path / "edits.parquet")


def test_an_empty_table_of_edits_is_refused(tmp_path):
    empty = {"seed": pa.array([], pa.int64()), "strength": pa.array([], pa.float64()), "a": pa.array([], pa.float32())}
    pq.write_table(pa.table(empty), tmp_path / "edits.parquet")
    with pytest.raises(UserError, match=r"edits\.parquet"):
        EditTable.load(tmp_path / "edits.parquet")


# --- published networks, values, zips -----------------------------------------------------------------------


@pytest.mark.parametrize("config", [UNetConfig(8, 2), PatchConfig(16, 2)], ids=str)
def test_published_networks_of_any_shape_and_value_are_named(tmp_path, config):
    path = tmp_path / "net.pth"
    published.save(config.build(), path)
    published.load(path)
    whole = torch.load(path)
    name = next(iter(whole))
    for tensor in (torch.zeros(whole[name].shape).fill_(float("nan")), torch.zeros(2, 2), torch.zeros(0), 1, "x", None):
        torch.save({**whole, name: tensor}, path)
        with pytest.raises(UserError, match=r"net\.pth"):
            published.load(path)
    torch.save({**whole, ("a", 1): torch.zeros(1)}, path)
    with pytest.raises(UserError, match=r"net\.pth"):
        published.load(path)


@pytest.mark.parametrize(
    "change",
    [{"sigma": float("nan")}, {"sigma": -1.0}, {"sigma": float("inf")}, {"intercept": float("nan")}],
    ids=str,
)
def test_directions_have_finite_numbers(change):
    with pytest.raises(UserError, match="sigma|intercept"):
        Direction(np.array([1.0, 0.0]), "smile", "svm", **change)


@pytest.mark.parametrize(
    ("members", "told"),
    [
        (["a.png", "A.png"], "'a.png'.*'A.png'|'A.png'.*'a.png'"),
        (["con.png"], "some systems do not allow"),
        (["x/AUX/a.png"], "some systems do not allow"),
        (["x" * 300 + ".png"], "some systems do not allow"),
        (["a.png", "a.png/b.png"], "cannot unpack"),
    ],
)
def test_names_in_an_archive_that_no_system_keeps_apart_are_refused(tmp_path, members, told):
    with zipfile.ZipFile(tmp_path / "set.zip", "w") as archive:
        for name in members:
            archive.writestr(name, b"x")
    with pytest.raises(UserError, match=rf"set\.zip.*({told})|({told}).*set\.zip"):
        unpack(tmp_path / "set.zip", tmp_path / "in" / "out")
    assert not (tmp_path / "in" / "out").exists() and not list(tmp_path.glob("in/*"))


def test_links_in_an_archive_are_refused(tmp_path):
    with zipfile.ZipFile(tmp_path / "set.zip", "w") as archive:
        link = zipfile.ZipInfo("a.png")
        link.external_attr = 0o120777 << 16
        archive.writestr(link, "/etc/passwd")
    with pytest.raises(UserError, match=r"set\.zip: 'a\.png' in it is no plain file"):
        unpack(tmp_path / "set.zip", tmp_path / "out")


def test_members_whose_size_is_a_lie_leave_nothing_behind(tmp_path):
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.png", bytes(5000))
    content = stream.getvalue().replace((5000).to_bytes(4, "little"), (50).to_bytes(4, "little"))
    (tmp_path / "set.zip").write_bytes(content)
    with pytest.raises(UserError, match=r"set\.zip"):
        unpack(tmp_path / "set.zip", tmp_path / "out")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["set.zip"]
