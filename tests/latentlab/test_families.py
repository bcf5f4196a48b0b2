"""Progressive GAN, StyleGAN and StyleGAN2 through the library: what works on one works on all, or is refused."""

from __future__ import annotations

import json
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch

import stylegan2
from latentlab import editing, images
from latentlab.directions import Direction, LinearSVM, MeanDifference, SeFa, load_direction
from latentlab.directions.finders import Conditional
from latentlab.errors import UserError
from latentlab.pipelines import (
    Components,
    InterpolationSettings,
    LabelSettings,
    SeedSettings,
    StudySettings,
    edit_seeds,
    fit_samples,
    generate_images,
    import_direction,
    interpolate,
    keyframes_of,
    label_samples,
    study_attribute,
    walk_seeds,
)
from latentlab.pipelines.interpolation import frames_between
from latentlab.projection import Phase, ProjectionSettings, TuningSettings, project, tune
from latentlab.rendering import Renderer
from latentlab.scorers import FunctionScorer
from stylegan2.progressive import ProgressiveConfig, ProgressiveGenerator
from stylegan2.stylegan1 import StyleGANConfig, StyleGANGenerator
from tests.conftest import TINY, make_tiny
from tests.latentlab.random_networks import random_distance
from tests.processes import run_code

SIZES = {"z_dim": 32, "channel_base": 256, "channel_max": 16}


def seeded(network):
    """The network with noise strengths, biases and w_avg that are not zero."""
    rng = torch.Generator().manual_seed(7)
    with torch.no_grad():
        for name, value in network.state_dict().items():
            if name.endswith(("noise_strength", "bias", "w_avg")):
                value += 0.2 * torch.randn(value.shape, generator=rng)
    return network.eval().requires_grad_(False)


def make(family):
    torch.manual_seed(0)
    if family == "progressive":
        return seeded(ProgressiveGenerator(ProgressiveConfig(16, **SIZES)))
    if family == "stylegan":
        sizes = {**SIZES, "w_dim": 32, "hidden_dim": 24, "mapping_layers": 2}
        return seeded(StyleGANGenerator(StyleGANConfig(16, mapping_lr_multiplier=1.0, **sizes)))
    return make_tiny(replace(TINY, mapping_lr_multiplier=1.0))


SCORER = FunctionScorer(("bright",), lambda pictures: torch.sigmoid(pictures.mean(dim=(1, 2, 3))), "brightness")


@pytest.fixture(scope="module", params=["progressive", "stylegan", "stylegan2"])
def family(request, tmp_path_factory):
    """A network, the truncation and space that it has, its samples, and the direction that they teach."""
    network, has_w = make(request.param), request.param != "progressive"
    psi, space, folder = (0.7 if has_w else 1.0), ("w" if has_w else "z"), tmp_path_factory.mktemp(request.param)
    components = Components.load(network, SCORER)
    settings = LabelSettings(300, psi=psi, threshold="median", precision="float32")
    table = label_samples(components, settings, folder / "samples", progress=False)
    fit = fit_samples(folder / "samples", ["bright"], "svm", components)["bright"]
    stylegan2.save(network, folder / "network.safetensors")
    fit.direction.save(folder / "direction.safetensors")
    found = {
        "components": components,
        "settings": settings,
        "table": table,
        "fit": fit,
        "direction": fit.direction,
        "folder": folder,
    }
    return SimpleNamespace(name=request.param, network=network, psi=psi, space=space, has_w=has_w, **found)


def test_samples_are_those_of_the_seeds(family):
    z = stylegan2.z_from_seeds(range(600, 602), 32)
    with torch.no_grad():
        images_of = family.network(z, psi=family.psi)
        expected = SCORER(images_of)
    torch.testing.assert_close(torch.from_numpy(family.table.scores[:2]), expected, rtol=0, atol=1e-5)
    assert family.table.w.shape == (300, 32 if family.has_w else 0)
    again = label_samples(family.components, family.settings, family.folder / "samples", progress=False)
    assert np.array_equal(again.scores, family.table.scores)  # read, not drawn


CUTOFF = 3


def test_truncation_of_the_first_rows_alone(family, tmp_path):
    """In W it is w_avg + psi (w - w_avg) in rows below the cutoff, and w in the others; without W there is none."""
    network, components = family.network, family.components
    settings = SeedSettings(psi=0.6 if family.has_w else 1.0, cutoff=CUTOFF)
    if not family.has_w:
        with pytest.raises(
            UserError, match=r"truncation \(a cutoff: leave --cutoff out\) works in W, and this generator"
        ):
            generate_images([5], components, settings, tmp_path, progress=False)
        return
    ws = network.mapping(stylegan2.z_from_seeds([5, 6], 32))
    ws[:, :CUTOFF] = network.w_avg + 0.6 * (ws[:, :CUTOFF] - network.w_avg)
    expected = network.synthesis(ws)
    generate_images([5, 6], components, settings, tmp_path, progress=False)
    for seed, one in zip((5, 6), expected, strict=True):
        written = images.load_image(tmp_path / f"seed{seed:06}.png")[0]
        assert (written - one.clamp(-1, 1)).abs().max() < 0.01
    walk = walk_seeds([5, 6], family.direction, [0, 1], components, settings, progress=False)
    torch.testing.assert_close(walk.images[:, 0], expected, rtol=0, atol=1e-4)
    in_z = Direction(np.eye(32, dtype=np.float32)[0], "bright", "mean", space="z", generator=network.fingerprint)
    edit_seeds([5, 6], in_z, [0, 1], components, settings, tmp_path / "edits", progress=False)
    edited = images.load_image(tmp_path / "edits" / "seed000006_+0.png")[0]
    assert (edited - expected[1].clamp(-1, 1)).abs().max() < 0.01
    for mode in ("linear", "spherical"):
        between = InterpolationSettings(mode, frames=3, psi=0.6, cutoff=CUTOFF)
        first = frames_between(keyframes_of(5, 6), components, between)[[0]][0]
        torch.testing.assert_close(first, expected[0], rtol=0, atol=1e-4)
    with pytest.raises(UserError, match=r"the cutoff is from 1 to 6, the rows of ws of this generator, not 7"):
        generate_images([5], components, SeedSettings(cutoff=7), tmp_path, progress=False)


def test_the_cutoff_of_commands(run, family, tmp_path):
    network, out = ["--network", family.folder / "network.safetensors"], ["--out", tmp_path / "out"]
    code, _, err = run("generate", *network, "--seeds", 5, "--psi", family.psi, "--cutoff", CUTOFF, *out)
    if not family.has_w:
        assert code == 2 and "--cutoff has no effect with --psi 1" in err
        return
    assert code == 0, err
    wanted = network_images(family.network, 5, psi=family.psi, cutoff=CUTOFF)
    assert (images.load_image(tmp_path / "out" / "seed000005.png") - wanted).abs().max() < 0.01
    direction = ["--direction", family.folder / "direction.safetensors"]
    np.savez(tmp_path / "codes.npz", w=np.zeros((1, 6, 32), np.float32))
    for words, message in (
        (["generate", "--cutoff", 9, "--seeds", 5], "the cutoff is from 1 to 6, the rows of ws"),
        (["walk", *direction, "--psi", 1, "--cutoff", 2], "--cutoff has no effect with --psi 1"),
        (
            ["edit", *direction, "--latents", tmp_path / "codes.npz", "--cutoff", 2],
            "--cutoff has no effect with --late",
        ),
        (["edit", *direction, "--photo", tmp_path / "x.png", "--cutoff", 2], "--cutoff has no effect with --photo"),
    ):
        code, _, err = run(*words, *network)
        assert code == 2 and message in err, err


def network_images(network, seed, **truncation):
    with torch.no_grad():
        return network(stylegan2.z_from_seeds([seed], 32), **truncation).clamp(-1, 1)


def test_a_direction_is_learnt_and_judged(family):
    assert family.direction.space == family.space and family.direction.generator == family.network.fingerprint
    assert family.fit.held_out.auc > 0.7


def test_edits_along_it_make_images_brighter(family, tmp_path):
    strengths, settings = [-4, 0, 4], SeedSettings(psi=family.psi)
    edits = edit_seeds(range(8), family.direction, strengths, family.components, settings, tmp_path, progress=False)
    mean = edits.scores[:, :, 0].mean(axis=0)
    assert mean[0] < mean[1] < mean[2]
    made = family.network(stylegan2.z_from_seeds([3], 32), psi=family.psi)
    written = images.load_image(tmp_path / "seed000003_+0.png")
    assert torch.equal(images.to_bytes(written), images.to_bytes(made))
    latents = {"z": stylegan2.z_from_seeds([3], 32), "psi": torch.tensor([family.psi])}
    placed = editing.move(latents, [(family.direction, 2.0)], family.network, "place")
    at = placed["z"] if family.space == "z" else placed["ws"][:, 0]
    assert family.direction.decision_function(at.numpy()) == pytest.approx([2.0], abs=1e-4)


def test_edits_reach_a_target(family, tmp_path):
    settings = SeedSettings(psi=family.psi, target=0.55, attribute="bright")
    edits = edit_seeds(range(4), family.direction, None, family.components, settings, tmp_path, progress=False)
    assert edits.reached.any() and (edits.scores[edits.reached, 1, 0] > 0.54).all()


def test_images_and_walks(family, tmp_path):
    settings = SeedSettings(psi=family.psi)
    (path,) = generate_images([5], family.components, settings, tmp_path, progress=False)
    made = family.network(stylegan2.z_from_seeds([5], 32), psi=family.psi)
    assert torch.equal(images.to_bytes(images.load_image(path)), images.to_bytes(made))
    walk = walk_seeds([5, 6], family.direction, [-1, 0, 1], family.components, settings, progress=False)
    torch.testing.assert_close(walk.images[0, 1], made[0], rtol=0, atol=1e-5)
    animation = InterpolationSettings("spherical", frames=5, psi=family.psi)
    interpolate(keyframes_of(5, 6), tmp_path / "x.gif", family.components, animation, progress=False)
    assert (tmp_path / "x.gif").stat().st_size > 100


@pytest.fixture(scope="module")
def distance():
    return random_distance("vgg")


def test_projection_and_tuning(family, distance):
    target = family.network(stylegan2.z_from_seeds([1], 32))
    settings = ProjectionSettings("w", (Phase(30, 0.1, resolution=16),))
    if not family.has_w:
        with pytest.raises(UserError, match="projection works in W, and this generator, like every Progressive GAN"):
            project(target, family.network, settings, perceptual=distance, progress=False)
        return
    before = family.network.synthesis(family.network.w_avg.expand(1, family.network.num_ws, -1))
    found = project(target, family.network, settings, "average", perceptual=distance, progress=False)
    ws = found.ws(family.network)
    assert (family.network.synthesis(ws) - target).square().mean() < (before - target).square().mean()
    for space in ("w+", "s"):
        settings = ProjectionSettings(space, (Phase(2, 0.1, resolution=16),))
        project(target, family.network, settings, "average", perceptual=distance, progress=False)
    settings = TuningSettings(steps=2, resolution=16, drift_seeds=(0,), stop_at=0.0)
    tuned = tune(target, ws, family.network, distance, settings, progress=False)
    assert not torch.equal(tuned.generator.synthesis(ws), family.network.synthesis(ws))


def test_styles(family):
    renderer = Renderer(family.network, 16)
    if family.has_w:
        found = SeFa(renderer=renderer).fit(family.table.w)
        assert found.components_.shape[-1] == 32
        layers = family.network.synthesis.styles(family.network.w_avg.expand(1, 6, -1))
        assert set(family.direction.explain(family.network).layers) == {n for n in layers if "torgb" not in n}
        return
    with pytest.raises(UserError, match="this generator has no space s"):
        SeFa(renderer=renderer).fit(family.table.w)
    with pytest.raises(UserError, match="this generator has no space s"):
        family.direction.explain(family.network)


# What needs W refuses a generator without by name


NO_W = "and this generator, like every Progressive GAN, has none: its codes are z"


@pytest.fixture(scope="module")
def without_w():
    return Components.load(make("progressive"), SCORER)


def test_truncation_is_refused_before_any_work(without_w, tmp_path):
    with pytest.raises(UserError, match=NO_W):
        label_samples(without_w, LabelSettings(8), tmp_path / "samples", progress=False)
    with pytest.raises(UserError, match=r"truncation \(psi 0.7; 1 is none: --psi 1\) works in W"):
        generate_images([1], without_w, SeedSettings(), tmp_path / "images", progress=False)
    with pytest.raises(UserError, match=NO_W):
        Renderer(without_w.generator, 16)({"z": torch.zeros(1, 32), "psi": torch.tensor([0.5])})
    assert not list(tmp_path.iterdir())


def test_what_goes_through_w_is_refused(without_w, distance, tmp_path):
    generator, direction = without_w.generator, make_direction(32)
    with pytest.raises(UserError, match=f"the light direction works in W, {NO_W}"):
        direction.check(generator, force=True)
    with pytest.raises(UserError, match=f"the light direction works in W, {NO_W}"):
        editing.move({"z": torch.zeros(1, 32), "psi": torch.ones(1)}, 2 * direction, generator)
    with pytest.raises(UserError, match=f"the mode smooth .* works in W, {NO_W}"):
        interpolate(
            keyframes_of(1, 2), tmp_path / "x.gif", without_w, InterpolationSettings("smooth", psi=1.0), progress=False
        )
    with pytest.raises(UserError, match=f"a study works in W, {NO_W}"):
        study_attribute(without_w, StudySettings("bright", psi=1.0, method="svm"), tmp_path / "study", progress=False)
    with pytest.raises(UserError, match=f"tuning works in W, {NO_W}"):
        tune(torch.zeros(1, 3, 16, 16), torch.zeros(1, 0, 0), generator, distance, progress=False)
    assert not list(tmp_path.iterdir())


def make_direction(width):
    from latentlab.directions import Direction

    return Direction(np.eye(width, dtype=np.float32)[0], "light", "mean")


def test_finders_that_look_through_w_are_refused(without_w, tmp_path):
    settings = LabelSettings(40, psi=1.0, threshold="median")
    label_samples(without_w, settings, tmp_path / "samples", progress=False)
    for method, said in (("gradient", "these samples have no w"), ("style-svm", "no space s")):
        with pytest.raises(UserError, match=said):
            fit_samples(tmp_path / "samples", ["bright"], method, without_w, progress=False)
    one = fit_samples(tmp_path / "samples", ["bright"], "mean", without_w)["bright"].direction
    renderer = without_w.renderer(16)
    from latentlab.directions import fit
    from latentlab.samples import SampleStore

    table = SampleStore.load(tmp_path / "samples").table()
    other = fit(table, "bright", Conditional(MeanDifference(), [one]), renderer=renderer).direction
    assert other.space == "z" and abs(float(one.vector @ other.vector)) < 1e-5
    with pytest.raises(UserError, match="a finder of space z needs the generator of the samples"):
        fit(table, "bright", LinearSVM())


# Published boundaries


def test_published_boundaries_move_z_or_w(family, tmp_path):
    vector = np.random.default_rng(0).standard_normal((1, 32)).astype(np.float32)
    np.save(tmp_path / "boundary.npy", vector / np.linalg.norm(vector))
    z, psi = stylegan2.z_from_seeds([1], 32), torch.ones(1)
    for space in ("z", "w") if family.has_w else ("z",):
        direction = load_direction(tmp_path / "boundary.npy", "smile", family.network, space=space)
        assert direction.space == space
        with torch.no_grad():
            moved = Renderer(family.network, 16)(editing.move({"z": z, "psi": psi}, 2 * direction, family.network))
            if space == "z":
                expected = family.network(z + 2 * torch.from_numpy(direction.vector))
            else:
                expected = family.network.synthesis(family.network.mapping(z) + 2 * torch.from_numpy(direction.vector))
        torch.testing.assert_close(moved, expected, rtol=0, atol=1e-5)
    own = load_direction(tmp_path / "boundary.npy", "smile", family.network)
    assert own.space == family.space
    found = import_direction(tmp_path / "boundary.npy", "bright", family.components)
    assert found.direction.space == family.space and found.direction.sigma > 0


def test_boundaries_of_other_sizes_are_refused(family, tmp_path):
    np.save(tmp_path / "published.npy", np.eye(1, 512, dtype=np.float32))  # as published ones are
    np.save(tmp_path / "rows.npy", np.eye(18, 32, dtype=np.float32))
    with pytest.raises(UserError, match=f"has 512 numbers, the generator's {family.space} 32"):
        import_direction(tmp_path / "published.npy", "bright", family.components)
    with pytest.raises(UserError, match="has 18 rows, which move w; a direction of z is a single one"):
        load_direction(tmp_path / "rows.npy", "smile", space="z")


# The command line

PROGRAM = """
import json, sys
from latentlab.cli import main
for words in json.loads(sys.argv[1]):
    sys.argv = ["latentlab", *words]
    try:
        main()
    except SystemExit as ended:
        if ended.code:
            sys.exit(f"{words}: {ended.code}")
"""


def test_commands(family, tmp_path):
    """One process goes from a file to samples, a direction, edits, walks and an import."""
    if "b4.torgb.affine.weight" in family.network.synthesis.state_dict():
        pytest.skip("the command line of StyleGAN2 is what all other tests run")
    network, psi = ["--network", str(family.folder / "network.safetensors")], ["--psi", str(family.psi)]
    direction, samples, score = str(tmp_path / "d.safetensors"), str(tmp_path / "samples"), ["--scorer", "lighting"]
    np.save(tmp_path / "boundary.npy", np.eye(1, 32, dtype=np.float32))
    fit = ["fit", samples, "--attribute", "light_side", "--out", direction, *([] if family.has_w else network)]
    commands = [
        ["generate", *network, *psi, "--seeds", "1,2", "--out", str(tmp_path / "images")],
        ["label", *network, *psi, *score, "--samples", "80", "--threshold", "median", "--out", samples],
        fit,
        ["edit", *network, *psi, *score, "--direction", direction, "--seeds", "1", "--out", str(tmp_path / "edits")],
        ["edit", *network, *psi, *score, "--direction", str(tmp_path / "boundary.npy"), "--force", "--strengths", "1"]
        + ["--seeds", "1", "--out", str(tmp_path / "raw")],
        ["walk", *network, *psi, "--direction", direction, "--seeds", "1", "--out", str(tmp_path / "walk.gif")],
        ["directions", "import", str(tmp_path / "boundary.npy"), *network, *score, "--score", "light_side"]
        + ["--space", "z", "--out", str(tmp_path / "imported.safetensors")],
    ]
    done = run_code(PROGRAM, json.dumps(commands))
    assert done.returncode == 0, done.stderr
    assert load_direction(tmp_path / "d.safetensors").space == family.space
    assert load_direction(tmp_path / "imported.safetensors").space == "z"
    assert (tmp_path / "walk.gif").exists() and (tmp_path / "edits" / "edits.parquet").exists()


def test_commands_refuse_truncation_without_w(refused, without_w, tmp_path):
    stylegan2.save(without_w.generator, tmp_path / "x.safetensors")
    said = refused("generate", "--network", tmp_path / "x.safetensors", "--seeds", "1", "--out", tmp_path / "out")
    assert "truncation (psi 0.7; 1 is none: --psi 1) works in W" in said and "codes are z" in said
