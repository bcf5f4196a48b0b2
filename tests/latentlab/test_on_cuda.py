"""What a GPU computes of rendering, scoring, editing and measuring: all of it there, and as the CPU does."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from latentlab.datasets import KnownFactors
from latentlab.directions import Direction, MeanGradient, Optimised, SeFa, StyleGradient, StyleSpace, face_direction
from latentlab.directions.styles import StyleChannels
from latentlab.editing import edit, move
from latentlab.faces import FaceFound, before_edit, crop, paste_back
from latentlab.faces.identity import similarity
from latentlab.faces.means import mean_landmarks
from latentlab.faces.tone import tone_of
from latentlab.images import luma
from latentlab.mapping import OneClass, latents_of_seeds, ws_of_seeds
from latentlab.metrics import LPIPS, Identity, Leakage, OutsideChange, PerceptualPathLength, Sharpness, VGG16Features
from latentlab.pipelines import Components
from latentlab.pipelines.edits import render_edits
from latentlab.projection.noise import fresh_maps
from latentlab.rendering import Renderer, from_styles, rows_of, styles_of, with_noise_maps
from latentlab.samples import SampleSettings, SampleStore, draw_samples
from latentlab.scorers import (
    ExpressionScorer,
    FaceGeometry,
    FunctionScorer,
    Lighting,
    ScorerSet,
    load_scorer,
    logits_of,
    score_images,
)
from latentlab.scorers.attributes.data import Labels
from latentlab.scorers.attributes.training import TrainingPlan, train
from latentlab.scorers.xception import MiniXception
from tests.conftest import TINY, make_tiny
from tests.latentlab.random_networks import random_distance
from tests.pretended import check_alike, make_mobile, on_cuda

pytestmark = pytest.mark.usefixtures("cuda")


@pytest.fixture(scope="module")
def scene():
    """A generator and latents of its three seeds, here and there."""
    here = make_mobile()
    ws = ws_of_seeds(here, [0, 1, 2], 0.8)
    return SimpleNamespace(here=here, there=on_cuda(here), ws=ws, images=here.synthesis(ws).tanh())


@pytest.fixture(scope="module", params=["vgg", "alex"])
def distances(request):
    """LPIPS with either backbone, here and there."""
    here = random_distance(request.param)
    return here, on_cuda(here)


@pytest.fixture(scope="module")
def vgg():
    here = random_distance("vgg")
    return here, on_cuda(here)


# --- rendering ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("noisy", [False, True])
@pytest.mark.parametrize("space", ["z", "w", "ws", "style"])
def test_latents_of_every_space_are_rendered(scene, space, noisy):
    latents = {"ws": scene.ws} if space != "w" else {"w": scene.ws[:, 0]}
    latents = latents_of_seeds(scene.here, [0, 1], 0.7) if space == "z" else latents
    latents = from_styles(styles_of(latents, scene.here)) if space == "style" else latents
    if noisy:
        count = len(next(iter(latents.values())))
        maps = {name: value.expand(count, -1, -1, -1) for name, value in fresh_maps(scene.here, 3).items()}
        latents = with_noise_maps(latents, maps)
    for resolution in scene.here.resolutions:
        check_alike(Renderer(scene.there, resolution)(on_cuda(latents)), Renderer(scene.here, resolution)(latents))


def test_half_precision_is_that_of_the_device(scene):
    renderer = Renderer(scene.there, 64, dtype=torch.bfloat16)
    rendered = renderer(on_cuda(scene.ws))
    check_alike(rendered, Renderer(scene.here, 64)(scene.ws), 0.1)
    assert not torch.equal(rendered, Renderer(scene.there, 64)(on_cuda(scene.ws)))


def test_latents_of_seeds_are_there(scene):
    check_alike(ws_of_seeds(scene.there, [0, 1, 2], 0.8), scene.ws)
    check_alike(latents_of_seeds(scene.there, [4], 0.5), latents_of_seeds(scene.here, [4], 0.5))
    check_alike(rows_of(on_cuda({"ws": scene.ws}), torch.tensor([2, 0])), {"ws": scene.ws[[2, 0]]})
    here = make_tiny(TINY.__class__(**{**TINY.__dict__, "c_dim": 3}))
    check_alike(ws_of_seeds(OneClass(on_cuda(here), 2), [0], 1.0), ws_of_seeds(OneClass(here, 2), [0], 1.0))


# --- scores and distances -----------------------------------------------------------------------------------


def expression() -> ExpressionScorer:
    """The expression classifier with random weights."""
    torch.manual_seed(0)
    return ExpressionScorer(MiniXception().eval())


def expression_there() -> ExpressionScorer:
    return ExpressionScorer(on_cuda(expression().network))


SCORERS = {
    "fer": (expression, expression_there),
    "attributes": (lambda: load_scorer("attributes"), lambda: load_scorer("attributes", "cuda")),
    "one attribute": (lambda: load_scorer("attributes:young"), lambda: load_scorer("attributes:young", "cuda")),
    "judge": (lambda: load_scorer("attributes-judge"), lambda: load_scorer("attributes-judge", "cuda")),
    "lighting": (lambda: load_scorer("lighting"), lambda: load_scorer("lighting", "cuda")),
    "function": (lambda: FunctionScorer(("red",), lambda x: x[:, 0].mean(dim=(1, 2))),) * 2,
    "set": (
        lambda: ScorerSet({"fer": expression(), "light": Lighting()}),
        lambda: ScorerSet({"fer": expression_there(), "light": Lighting()}),
    ),
}


@pytest.mark.parametrize("name", SCORERS)
def test_scorers(scene, name):
    here, there = (make() for make in SCORERS[name])
    images = on_cuda(scene.images)
    check_alike(there(images), here(scene.images))
    assert np.allclose(score_images(there, images), score_images(here, scene.images), atol=1e-4)
    gradients = []
    for scorer, given in ((here, scene.images), (there, images)):
        given = given.clone().requires_grad_()
        gradients += torch.autograd.grad(logits_of(scorer, given, here.names[0]).sum(), given)
    check_alike(gradients[1], gradients[0], 1e-3)


class NoFaces:
    """A detector that finds none."""

    name = "none"

    def __call__(self, image: torch.Tensor) -> list[FaceFound]:
        return []


def test_landmarks_are_found_on_the_cpu_and_measured_for_the_device(scene):
    measured = FaceGeometry(NoFaces())(on_cuda(scene.images[:1]))
    assert measured.device.type == "cuda" and measured.isnan().all()


def test_the_perceptual_distance(scene, distances):
    here, there = distances
    a, b, mask = scene.images[:2], scene.images[1:], torch.rand(1, 1, 64, 64)
    far_a, far_b = on_cuda(a), on_cuda(b)
    check_alike(there(far_a, far_b), here(a, b))
    check_alike(there(far_a, there.pyramid(far_b), on_cuda(mask)), here(a, b, mask))
    check_alike(
        there.between_all(there.pyramid(far_a), there.pyramid(far_b)),
        here.between_all(here.pyramid(a), here.pyramid(b)),
        1e-3,
    )
    free, here_free = on_cuda(a).requires_grad_(), a.clone().requires_grad_()
    gradient = torch.autograd.grad(there(free, far_b).sum(), free)
    check_alike(gradient, torch.autograd.grad(here(here_free, b).sum(), here_free), 1e-3)


def test_the_perceptual_distance_in_half_precision(scene):
    there = on_cuda(random_distance("alex", torch.bfloat16))
    with there.autocast():
        images = scene.there.synthesis(on_cuda(scene.ws))
        assert (on_cuda(torch.ones(2, 2)) @ on_cuda(torch.ones(2, 2))).dtype is torch.bfloat16
    distance = there(images.float(), on_cuda(scene.images))
    assert distance.device.type == "cuda" and distance.dtype is torch.float32


# --- edits and directions -----------------------------------------------------------------------------------


def directions(generator):
    """A direction of every space."""
    rng, fields = np.random.default_rng(0), {"attribute": "red", "method": "made-up", "intercept": 0.2}
    unit = rng.standard_normal(generator.w_dim).astype(np.float32)
    rows = rng.standard_normal((generator.num_ws, generator.w_dim)).astype(np.float32)
    z = rng.standard_normal(generator.z_dim).astype(np.float32)
    channels = StyleChannels(("b8.conv0", "b16.conv1", "b8.conv0"), np.array([1, 0, 3]), np.array([0.5, 2.0, 1.0]))
    yield Direction(z / np.linalg.norm(z), space="z", **fields)
    yield Direction(unit / np.linalg.norm(unit), space="w", **fields)
    yield Direction(rows / np.linalg.norm(rows, axis=1).max(), space="w+", **fields)
    yield Direction(np.array([0.6, 0, 0.8], dtype=np.float32), space="s", channels=channels, **fields)


@pytest.mark.parametrize("mode", ["add", "place"])
def test_edits_of_every_space(scene, mode):
    latents = latents_of_seeds(scene.here, [0, 1], 0.7)
    far, strength = on_cuda(latents), torch.tensor([0.5, -1.0])
    for direction in directions(scene.here):
        expected = move(latents, [(direction, strength)], scene.here, mode)
        check_alike(move(far, [(direction, strength)], scene.there, mode), expected)
        check_alike(move(far, [(direction, on_cuda(strength))], scene.there, mode), expected)
    z, w, w_plus, s = directions(scene.here)
    check_alike(move(far, 0.5 * w - w_plus + 2 * s, scene.there), move(latents, 0.5 * w - w_plus + 2 * s, scene.here))
    check_alike(edit(on_cuda(scene.ws), w, 1.0, mode), edit(scene.ws, w, 1.0, mode))


def red(images: torch.Tensor) -> torch.Tensor:
    return images[:, 0].mean(dim=(1, 2))


class Region:
    """The lower half, as a mask of the CPU."""

    def __call__(self, images: torch.Tensor) -> torch.Tensor:
        mask = torch.zeros(1, 1, *images.shape[2:])
        mask[:, :, images.shape[2] // 2 :] = 1
        return mask


def test_finders_look_through_the_generator(scene):
    scorer = FunctionScorer(("red",), red, fingerprint="red", probabilities=False)
    w = ws_of_seeds(scene.here, range(12), 1.0)[:, 0].numpy()
    positive = np.arange(12) % 2 == 0
    space, space_there = StyleSpace.measure(scene.here, w), StyleSpace.measure(scene.there, w)
    np.testing.assert_allclose(space_there.mean, space.mean, atol=1e-5)
    x = space.standardise(styles_by_layer(scene, w))
    finders = (
        (lambda: MeanGradient(faces=5), w, None),
        (lambda: MeanGradient("w+", faces=5), w, None),
        (lambda: StyleGradient(4, faces=5), x, space),
        (lambda: Optimised(faces=4, projections=2, region=Region()), w, None),
        (lambda: Optimised("s", faces=4, projections=2, region=None), x, space),
    )
    for make, rows, style_space in finders:
        found = []
        for generator in (scene.here, scene.there):
            given = {"renderer": Renderer(generator, 32), "scorer": scorer, "attribute": "red", "progress": False}
            given |= {} if style_space is None else {"style_space": style_space}
            found.append(make().set_params(**given).fit(rows, positive).direction_)
        np.testing.assert_allclose(found[1], found[0], atol=1e-3)


def styles_by_layer(scene, w):
    styles = styles_of({"w": torch.from_numpy(w)}, scene.here)
    return {name: style.numpy() for name, style in styles.items()}


def test_directions_of_weights_and_of_one_face(scene):
    here, there = (SeFa(3, renderer=Renderer(generator, 64)).fit() for generator in (scene.here, scene.there))
    np.testing.assert_allclose(there.components_, here.components_, atol=1e-4)
    scorer = FunctionScorer(("red",), red, fingerprint="red", probabilities=False)
    here, there = (
        face_direction(ws[:1], Renderer(generator, 64), scorer, "red", "w+")
        for generator, ws in ((scene.here, scene.ws), (scene.there, on_cuda(scene.ws)))
    )
    np.testing.assert_allclose(there.vector, here.vector, atol=1e-4)


def test_a_generator_of_known_factors():
    here = KnownFactors()
    there = on_cuda(here)
    z = torch.randn(2, here.z_dim)
    check_alike(there(on_cuda(z)), here(z))
    check_alike(there.scorer().logits(there(on_cuda(z))), here.scorer().logits(here(z)), 1e-3)


# --- samples and metrics ------------------------------------------------------------------------------------


def test_samples(scene, tmp_path):
    tables = []
    for name, generator in (("here", scene.here), ("there", scene.there)):
        scorer = FunctionScorer(("red",), red, fingerprint="red")
        settings = SampleSettings(generator.fingerprint, scorer.fingerprint, scorer.names, 0.7, 0, 4, 64, 4)
        tables.append(draw_samples(generator, scorer, SampleStore(tmp_path / name, settings), progress=False))
    np.testing.assert_allclose(tables[1].w, tables[0].w, atol=1e-5)
    np.testing.assert_allclose(tables[1].scores, tables[0].scores, atol=1e-4)


def test_metrics(scene, vgg):
    here, there = vgg
    before, after = scene.images, scene.images.flip(3)
    region = torch.zeros(1, 1, 64, 64)
    region[..., 32:] = 1
    classifiers = load_scorer("attributes"), load_scorer("attributes", "cuda")
    corner = lambda images: images[:, 0, :2, :64].flatten(1)  # noqa: E731
    metrics = [
        (LPIPS(network), Sharpness(), OutsideChange(), Identity(corner), PerceptualPathLength(network, face_crop=False))
        for network in vgg
    ]
    for near, far in zip(*metrics, strict=True):
        regions = [(), (region,)] if isinstance(near, LPIPS | OutsideChange) else [()]
        for arguments in regions:
            near.update(before, after, *arguments)
            far.update(on_cuda(before), on_cuda(after), *arguments)
        np.testing.assert_allclose(far.values, near.values, rtol=1e-3)
    features = [VGG16Features(network)(before[:1]) for network in vgg]
    np.testing.assert_allclose(features[1], features[0], rtol=1e-2, atol=1e-4)
    leaks = [Leakage(classifier, "smiling") for classifier in classifiers]
    for leak in leaks:
        leak.update(before, after)
    np.testing.assert_allclose(leaks[1]._batches[0], leaks[0]._batches[0], atol=1e-3)


def test_components_are_on_the_device_of_the_generator(scene):
    components = Components.load(scene.there, "attributes")
    assert components.device.type == "cuda" and components.renderer()(on_cuda(scene.ws)).device.type == "cuda"
    assert components.scorer(on_cuda(scene.images)).device.type == "cuda"


def test_descriptors_are_compared_there():
    a, b = torch.randn(2, 128), torch.randn(2, 128)
    check_alike(similarity(on_cuda(a), on_cuda(b)), similarity(a, b))


# --- faces in photos, edits, a classifier's training --------------------------------------------------------


def test_faces_are_cut_out_toned_and_put_back(scene):
    photo = torch.rand(1, 3, 90, 100, generator=torch.Generator().manual_seed(2)) * 2 - 1
    quad = np.array([[-10.0, -5.0], [-10.0, 65.0], [60.0, 65.0], [60.0, -5.0]])  # it reaches beyond the photo
    (expected, geometry), (found, _) = crop(photo, quad, 32), crop(on_cuda(photo), quad, 32)
    check_alike(found, expected)
    edited, landmarks = expected.flip(3), mean_landmarks() * 60
    for mask in ("feather", "hull"):
        here = paste_back(edited, geometry, photo, mask, landmarks)
        check_alike(paste_back(on_cuda(edited), geometry, on_cuda(photo), mask, landmarks), here, 1e-3)
    grey = luma(photo).expand(-1, 3, -1, -1)
    (here, there) = tone_of(grey), tone_of(on_cuda(grey))
    check_alike(there.apply(on_cuda(photo)), here.apply(photo), 1e-3)
    a, b = scene.images[:1], scene.images[1:2]
    check_alike(before_edit(*map(on_cuda, (a, b, a))), before_edit(a, b, a))


def test_edits_of_many_strengths_are_rendered_and_scored(scene):
    _, direction, _, _ = directions(scene.here)
    scorer = FunctionScorer(("red",), red)
    here, there = (
        list(render_edits(scene.ws[:2], direction, (-1.0, 0.0, 1.0), Renderer(generator, 32), scorer, batch_size=4))
        for generator in (scene.here, scene.there)
    )
    assert len(there) == 6
    check_alike([one.image for one in there], [one.image for one in here])
    np.testing.assert_allclose([one.scores for one in there], [one.scores for one in here], atol=1e-4)


def test_a_classifier_is_trained(tmp_path):
    rng = np.random.default_rng(0)
    pictures = torch.from_numpy(rng.integers(0, 256, (60, 3, 72, 72)).astype(np.uint8))
    files, persons = (tuple(f"{k}.png" for k in range(60)), tuple(map(str, range(60))))
    labels = Labels(files, persons, ("one",), rng.random((60, 1)) < 0.5)
    plan = TrainingPlan(epochs=1, batch_size=32, base_channels=4)
    scorer = train(pictures, labels, plan, tmp_path / "s.state", device="cuda", progress=False)
    assert scorer(on_cuda(torch.zeros(1, 3, 64, 64))).device.type == "cuda"
