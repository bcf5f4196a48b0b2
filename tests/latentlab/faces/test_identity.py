"""Identity: the descriptor of generated faces, and the two measures of how alike they are."""

import sys

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

import stylegan2
from latentlab import images
from latentlab.errors import UserError
from latentlab.faces.identity import WIDTH, FaceDescriptor, distance, similarity
from latentlab.faces.means import mean_descriptor, mean_landmarks

SEEDS = list(range(600, 608))


@pytest.fixture(scope="module")
def describe() -> FaceDescriptor:
    pytest.importorskip("dlib")
    return FaceDescriptor()


@pytest.fixture(scope="module")
def faces() -> Tensor:
    """Eight generated faces at 256 pixels."""
    generator = stylegan2.load("mobile-ffhq")
    with torch.inference_mode():
        ws = generator.mapping(stylegan2.z_from_seeds(SEEDS, generator.z_dim), psi=0.7)
        return generator.synthesis(ws, resolution=256).clone()


@pytest.fixture(scope="module")
def descriptors(describe, faces) -> Tensor:
    return describe(faces)


@pytest.mark.weights
def test_a_descriptor_does_not_depend_on_the_batch(describe, faces, descriptors):
    assert descriptors.shape == (len(SEEDS), WIDTH) and descriptors.dtype == torch.float32
    torch.testing.assert_close(describe(faces[2:3]), descriptors[2:3])
    assert describe(faces[:0]).shape == (0, WIDTH)


@pytest.mark.weights
def test_a_face_is_itself_at_other_sizes_mirrored_and_brighter(describe, faces, descriptors):
    faces, descriptors = faces[:2], descriptors[:2]
    torch.testing.assert_close(similarity(descriptors, descriptors), torch.ones(2))
    torch.testing.assert_close(distance(descriptors, descriptors), torch.zeros(2))
    larger = F.interpolate(faces, (768, 768), mode="bicubic")
    for changed, least in ((larger, 0.98), (faces.flip(3), 0.75), ((faces + 0.2).clamp(-1, 1), 0.85)):
        again = describe(changed)
        assert similarity(descriptors, again).min() > least
        assert distance(descriptors, again).max() < 0.4
    smallest = describe(images.reduce(faces, 128))
    assert similarity(descriptors, smallest).min() > 0.9


@pytest.mark.weights
def test_strangers_have_no_similarity_though_their_plain_cosine_is_high(descriptors):
    i, j = torch.triu_indices(len(SEEDS), len(SEEDS), 1)
    a, b = descriptors[i], descriptors[j]
    assert similarity(a, b).median().abs() < 0.2 and similarity(a, b).max() < 0.6
    assert distance(a, b).median() > 0.6
    assert torch.cosine_similarity(a, b).min() > 0.7


@pytest.mark.weights
def test_only_the_picture_without_a_face_has_no_descriptor(describe, faces):
    noise = torch.rand(1, 3, 256, 256, generator=torch.Generator().manual_seed(0)) * 2 - 1
    found = describe(torch.cat([faces[:1], noise, torch.zeros(1, 3, 256, 256), faces[1:2]]))
    assert found.isnan().all(dim=1).tolist() == [False, True, True, False]
    assert similarity(found[0], found[1]).isnan() and distance(found[0], found[1]).isnan()


def test_the_measures_are_cosine_about_the_mean_face_and_euclidean_distance():
    mean = torch.from_numpy(mean_descriptor())
    e = torch.eye(WIDTH)
    a = torch.stack([mean + e[0], mean + e[0], mean + e[0], mean + e[0]])
    b = torch.stack([mean + 3 * e[0], mean + e[1], mean - 0.5 * e[0], mean + 0.6 * e[0] + 0.8 * e[1]])
    torch.testing.assert_close(similarity(a, b), torch.tensor([1, 0, -1, 0.6]), atol=1e-5, rtol=0)
    torch.testing.assert_close(distance(a, b), torch.tensor([2, 2**0.5, 1.5, (0.16 + 0.64) ** 0.5]))
    torch.testing.assert_close(similarity(a[:1], b), similarity(a, b))


def test_the_shipped_means_are_of_a_face_in_the_frame():
    assert 1.2 < float(torch.from_numpy(mean_descriptor()).norm()) < 1.5
    landmarks = mean_landmarks()
    assert landmarks.shape == (68, 2)
    eyes = landmarks[36:42].mean(0), landmarks[42:48].mean(0)
    # FFHQ's crop puts the eyes on one level, the same way from the middle.
    assert abs(eyes[0][1] - eyes[1][1]) < 0.005 and abs(eyes[0][0] + eyes[1][0] - 1) < 0.01
    assert 0.22 < eyes[1][0] - eyes[0][0] < 0.27


@pytest.mark.weights
@pytest.mark.parametrize("shape", [(1, 3, 127, 127), (1, 3, 256, 255), (256, 256), (1, 1, 256, 256)])
def test_other_shapes_are_refused(describe, shape):
    with pytest.raises(UserError, match="128 or more|square crops|images must be"):
        describe(torch.zeros(shape))


@pytest.mark.weights
def test_without_dlib_the_message_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "dlib", None)
    with pytest.raises(UserError, match="pip install dlib-bin"):
        FaceDescriptor()
