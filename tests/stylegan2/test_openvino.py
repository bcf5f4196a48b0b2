"""The mobile generator out of its OpenVINO files: OpenVINO's own output, and files that are none."""

import os
import struct
from pathlib import Path

import numpy as np
import pytest
import torch

import stylegan2
from latentlab import weights
from stylegan2 import CheckpointError
from stylegan2.checkpoints import openvino
from stylegan2.sampling import z_from_seeds


@pytest.fixture(scope="module")
def network():
    """The published network: fetched from the package index the first time."""
    return stylegan2.load(weights.get("mobile-ffhq"))


@pytest.fixture(scope="module")
def recorded(data):
    """Recorded by scripts/record_mobile_vector.py."""
    with np.load(data / "mobile_vector.npz") as file:
        return dict(file)


@pytest.mark.weights
def test_w_is_openvinos(network, recorded):
    z = z_from_seeds(recorded["seeds"].tolist(), network.z_dim)
    with torch.no_grad():
        ws = network.mapping(z)
    assert ws.shape == (len(z), network.num_ws, 512)
    for row in range(network.num_ws):
        np.testing.assert_allclose(ws[:, row].numpy(), recorded["w"], rtol=0, atol=2e-5)


@pytest.mark.weights
def test_pictures_are_openvinos(network, recorded):
    step = int(recorded["step"])
    top, left, side = recorded["patch_at"].tolist()
    with torch.no_grad():
        for k, seed in enumerate(recorded["seeds"][: len(recorded["sparse"])].tolist()):
            picture = network(z_from_seeds(seed, network.z_dim))[0].numpy()
            assert picture.shape == (3, 1024, 1024)
            np.testing.assert_allclose(picture[:, ::step, ::step], recorded["sparse"][k], rtol=0, atol=5e-4)
            patch = picture[:, top : top + side, left : left + side]
            np.testing.assert_allclose(patch, recorded["patch"][k], rtol=0, atol=5e-4)


@pytest.mark.weights
def test_w_avg_is_the_mean_of_w(network):
    z = torch.randn(4000, network.z_dim, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        w = network.mapping(z)[:, 0]
    error = (w.mean(0) - network.w_avg) / (w.std(0) / len(w) ** 0.5)
    # Standard errors of both means: sqrt(1 + 4000 / 10000) = 1.2 of this one's.
    assert 0.8 < float(error.pow(2).mean().sqrt()) < 1.6


@pytest.mark.weights
def test_other_weights_get_a_sampled_mean_and_no_preview(network):
    published = openvino.read_published(weights.get("mobile-ffhq"))
    loaded = published.with_mean()
    assert not any(name.startswith("synthesis.preview.") for name in loaded.state)
    torch.testing.assert_close(loaded.state["mapping.w_avg"], network.w_avg, rtol=0, atol=1e-5)


@pytest.mark.weights
def test_fresh_noise_is_as_strong_as_the_recorded(network):
    strengths = {n: p for n, p in network.synthesis.named_parameters() if n.endswith("noise_strength")}
    assert len(strengths) == 15
    for name, strength in strengths.items():
        noise = network.synthesis.get_buffer(name.replace("strength", "const"))
        assert strength > 0
        assert abs(float(noise.std()) - 1) < 1e-3


# --- files that are none ------------------------------------------------------------------------------------

GRAPH = """<?xml version="1.0"?>
<net name="any" version="10">
  <layers>
    <layer id="0" name="one" type="Const"><data element_type="f32" shape="2, 2" offset="0" size="16"/></layer>
    <layer id="1" name="add" type="Add"/>
  </layers>
  <edges><edge from-layer="0" from-port="0" to-layer="1" to-port="0"/></edges>
</net>
"""
ARRAY = struct.pack("<4f", 1, 2, 3, 4)


def make_folder(folder: Path, xml: str = GRAPH, blob: bytes = ARRAY) -> Path:
    """A folder whose mapping and synthesis are both `xml` and `blob`."""
    for name in ("Mapping", "Synthesis"):
        (folder / f"{name}Network.xml").write_text(xml)
        (folder / f"{name}Network.bin").write_bytes(blob)
    return folder


def refusal(folder: Path) -> str:
    """What loading says: one line."""
    with pytest.raises(CheckpointError) as caught:
        stylegan2.load(folder)
    message = str(caught.value)
    assert "\n" not in message
    return message


def test_a_small_graph_is_read(tmp_path):
    graph = openvino.read_graph(make_folder(tmp_path) / "MappingNetwork.xml")
    np.testing.assert_array_equal(graph.named("one"), [[1, 2], [3, 4]])
    np.testing.assert_array_equal(graph.constant_of("1"), [[1, 2], [3, 4]])


@pytest.mark.parametrize(
    "declaration",
    [
        '<!DOCTYPE net [<!ENTITY a "b">]>',
        '<!DOCTYPE net SYSTEM "file:///etc/passwd">',
        '<!DOCTYPE l [<!ENTITY l0 "lol"><!ENTITY l1 "&l0;&l0;&l0;&l0;&l0;&l0;&l0;&l0;">]>',
    ],
)
@pytest.mark.parametrize(
    "encoding",
    [
        "utf-8",
        "utf-16",
    ],
)
def test_entities_are_refused(tmp_path, declaration, encoding):
    make_folder(tmp_path)
    head = f'<?xml version="1.0" encoding="{encoding}"?>{declaration}'
    text = GRAPH.replace('<?xml version="1.0"?>', head)
    (tmp_path / "MappingNetwork.xml").write_bytes(text.encode(encoding))
    message = refusal(tmp_path)
    assert "MappingNetwork.xml" in message
    assert "entities" in message


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('size="16"', 'size="32"'),
        ('offset="0"', 'offset="4"'),
        ('offset="0"', 'offset="-16"'),
        ('shape="2, 2"', 'shape="2, 3"'),
        ('shape="2, 2"', 'shape="-2, -2"'),
        ('shape="2, 2"', 'shape="4611686018427387904, 4"'),
        ('shape="2, 2"', 'shape="two"'),
        ('element_type="f32"', 'element_type="f16"'),
        (' offset="0"', ""),
        (' shape="2, 2"', ""),
        (' element_type="f32"', ""),
        ("</net>", ""),
        ("<layers>", "<layers"),
    ],
    ids=str,
)
def test_broken_graphs_are_refused(tmp_path, old, new):
    assert old in GRAPH
    message = refusal(make_folder(tmp_path, GRAPH.replace(old, new)))
    assert "MappingNetwork.xml" in message


@pytest.mark.parametrize("content", ["", "no XML at all", "<html><body>Not found</body></html>", "\0\0\0"])
def test_what_is_no_graph_is_refused(tmp_path, content):
    assert str(tmp_path) in refusal(make_folder(tmp_path, content))


def test_an_endless_graph_is_not_read(tmp_path):
    os.truncate(make_folder(tmp_path) / "MappingNetwork.xml", 1 << 34)
    assert "MappingNetwork.xml: over 2 MiB" in refusal(tmp_path)


def test_another_graph_is_refused(tmp_path):
    assert "SynthesisNetwork.xml" in refusal(make_folder(tmp_path))


def test_endless_names_are_not_repeated(tmp_path):
    graph = GRAPH.replace('id="1" name="add" type="Add"', f'id="{"1" * 5000}" name="product" type="MatMul"')
    assert graph != GRAPH
    message = refusal(make_folder(tmp_path, graph))
    assert "…' has 0 constants, one was expected" in message and len(message) < len(str(tmp_path)) + 250


@pytest.mark.parametrize("blob", [b"", ARRAY[:-1]])
def test_a_truncated_array_file_is_refused(tmp_path, blob):
    message = refusal(make_folder(tmp_path, blob=blob))
    assert "MappingNetwork.xml" in message
    assert "truncated" in message


@pytest.mark.parametrize("name", ["MappingNetwork.xml", "MappingNetwork.bin", "SynthesisNetwork.bin"])
def test_a_missing_file_is_named(tmp_path, name):
    (make_folder(tmp_path) / name).unlink()
    assert f"{tmp_path}: {name} is missing" in refusal(tmp_path)


def test_a_folder_of_something_else_is_refused(tmp_path):
    (tmp_path / "readme.txt").write_text("hello")
    assert str(tmp_path) in refusal(tmp_path)


@pytest.fixture(scope="module")
def originals():
    folder = weights.get("mobile-ffhq")
    names = ("MappingNetwork.xml", "MappingNetwork.bin", "SynthesisNetwork.xml", "SynthesisNetwork.bin")
    return {name: folder / name for name in names}


def link_originals(originals, folder: Path, changed: str) -> Path:
    """A folder like the published one; the text of `changed` is given back to be written anew."""
    for name, path in originals.items():
        if name != changed:
            (folder / name).symlink_to(path)
    return originals[changed]


@pytest.mark.weights
@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('name="m.layers.3.conv1.conv.weight_dw"', 'name="other"'),
        ('type="Convolution"', 'type="Deconvolution"'),
        ('name="m.layers.6.to_img.bias"', 'name="other"'),
        ('name="m.input.input" type="Const"', 'name="m.input.input" type="Parameter"'),
        ('from-layer="', 'from-layer="9'),
    ],
    ids=str,
)
def test_a_published_graph_with_a_change_is_refused(originals, tmp_path, old, new):
    name = "SynthesisNetwork.xml"
    text = link_originals(originals, tmp_path, name).read_text()
    assert old in text
    (tmp_path / name).write_text(text.replace(old, new))
    assert str(tmp_path) in refusal(tmp_path)


@pytest.mark.weights
def test_a_truncated_download_is_refused(originals, tmp_path):
    name = "SynthesisNetwork.bin"
    blob = link_originals(originals, tmp_path, name).read_bytes()
    (tmp_path / name).write_bytes(blob[:-1])
    assert "truncated" in refusal(tmp_path)


@pytest.mark.weights
def test_networks_that_do_not_belong_together_are_refused(originals, tmp_path):
    for name, path in originals.items():
        (tmp_path / name).symlink_to(originals[name.replace("Synthesis", "Mapping")])
        assert path.is_file()
    assert str(tmp_path) in refusal(tmp_path)
