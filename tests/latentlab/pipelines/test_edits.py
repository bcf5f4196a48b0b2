"""Rendering and scoring faces at a series of strengths, on a tiny generator."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from latentlab.directions import Direction, RidgeOnLogit
from latentlab.editing import edit, from_sigmas
from latentlab.errors import UserError
from latentlab.pipelines import Components, walk_seeds
from latentlab.pipelines.edits import rescore
from latentlab.pipelines.walks import sweep
from latentlab.rendering import Renderer
from latentlab.samples import SampleTable
from latentlab.scorers import FunctionScorer
from stylegan2.sampling import z_from_seeds
from tests.conftest import stage_with


@pytest.fixture(scope="module")
def scene(tiny):
    """Faces of the tiny generator, the brightness of their pictures, and the direction that raises it."""
    ws = tiny.mapping(z_from_seeds(range(150), tiny.z_dim), psi=0.7)
    scorer = FunctionScorer(("bright",), lambda p: torch.sigmoid(p.mean(dim=(2, 3))[:, :1]))
    scores = scorer(tiny.synthesis(ws))[:, 0].numpy()
    finder = RidgeOnLogit().fit(ws[:, 0].numpy(), scores)
    return scorer, Direction.of(finder, ws[:, 0].numpy(), "bright", generator=tiny.fingerprint)


def faces_of(generator, seeds: range) -> SampleTable:
    w = generator.mapping(z_from_seeds(seeds, generator.z_dim), psi=0.7)[:, 0].numpy()
    n = len(w)
    return SampleTable(np.array(seeds), np.full(n, 0.7, np.float32), w, np.zeros((n, 1), np.float32), ("bright",))


def test_a_learnt_direction_moves_the_score_of_new_faces(tiny, scene):
    scorer, learnt = scene
    faces = faces_of(tiny, range(1000, 1010))
    strengths = [from_sigmas(learnt, s) for s in (-2.0, 0.0, 2.0)]
    table = rescore(faces, learnt, strengths, Renderer(tiny, 16), scorer, batch_size=7)
    mean = table.column("bright").mean(axis=0)
    assert mean[0] < mean[1] < mean[2]
    expected = scorer(tiny.synthesis(edit(faces.ws(tiny.num_ws)[3:4], learnt, strengths[2])))
    np.testing.assert_allclose(table.scores[3, 2], expected[0], atol=1e-5)
    assert table.is_positive("bright").shape == (10, 3)
    assert table.seeds.tolist() == list(range(1000, 1010))


def test_chunks_batches_and_places_agree(tiny, scene):
    scorer, learnt = scene
    faces, renderer, strengths = faces_of(tiny, range(5)), Renderer(tiny, 16), [0.5, -0.5]
    seen = []
    progress = stage_with(lambda *call: seen.append(call))
    whole = rescore(faces, learnt, strengths, renderer, scorer, mode="place", progress=progress)
    parts = [
        rescore(faces.subset(np.array([i])), learnt, strengths, renderer, scorer, batch_size=1, mode="place")
        for i in range(5)
    ]
    np.testing.assert_allclose(np.concatenate([part.scores for part in parts]), whole.scores, atol=1e-5)
    assert seen == [(k, 10) for k in range(1, 11)]
    with pytest.raises(UserError, match="different numbers"):
        rescore(faces, learnt, [1.0, 1.0], renderer, scorer)


def test_a_walk_keeps_to_the_range_and_scores_only_for_a_figure(tiny, scene, tmp_path):
    scorer, learnt = scene
    near = replace(learnt, strength_range=(-0.25, 0.5))
    components = Components.load(tiny, scorer, device="cpu")
    walk = walk_seeds([3, 4], near, None, components, progress=False)
    assert walk.strengths == (-0.25, -0.167, -0.0833, 0, 0.167, 0.333, 0.5)
    assert walk.scores.shape == (2, 7, 1) and walk.titles == ("seed 3", "seed 4")
    walk.save(tmp_path / "walk.png", "bright")
    assert (tmp_path / "walk.png").stat().st_size > 0
    silent = walk_seeds([3, 4], near, [-0.25, 0.5], components, scored=False, progress=False)
    torch.testing.assert_close(silent.images, walk.images[:, [0, 6]], atol=1e-4, rtol=0)
    with pytest.raises(UserError, match="without scores"):
        silent.figure("bright")


def test_a_sweep_slows_down_at_its_ends():
    strengths = np.array(sweep(-1.0, 2.0, 60))
    steps = np.diff(strengths)
    assert (strengths[0], strengths[-1], len(strengths)) == (-1, 2, 31)
    assert (steps > 0).all() and steps[0] < 0.1 * steps[15] and steps[-1] < 0.1 * steps[15]
    assert len(sweep(0.0, 1.0, 7)) == 5
