"""What noise could not show: edits and drags of images that have parts, by a generator of small faces."""

import pytest
import torch

import latentlab as ll
from latentlab.dragging import DragSettings, drag
from latentlab.pipelines import Components, LabelSettings, label_samples
from latentlab.scorers import FunctionScorer
from stylegan2 import z_from_seeds


def images_of(ws, generator):
    return generator.synthesis(ws, noise_mode="const").clamp(-1, 1)


def ground(images):
    """Brightness beside the head, `(b,)`."""
    return torch.cat([images[..., :12, :3].flatten(1), images[..., :12, -3:].flatten(1)], dim=1).mean(dim=1)


def skin(images):
    """Brightness of the middle of the face, `(b,)`."""
    return images[..., 10:24, 12:20].flatten(1).mean(dim=1)


@pytest.mark.parametrize("method", ["mean", "ridge", "svm"])
def test_a_direction_of_the_ground_leaves_the_face(method, tiny_faces, tmp_path):
    bright = FunctionScorer(("bright",), lambda images: torch.sigmoid(4 * ground(images))[:, None])
    table = label_samples(
        Components.load(tiny_faces, bright), LabelSettings(300, psi=1.0), tmp_path / "samples", progress=False
    )
    direction = ll.fit_direction(table, "bright", method).direction
    ws = tiny_faces.mapping(z_from_seeds(range(2000, 2040), tiny_faces.z_dim))  # others than those it is learnt from
    more, less = (images_of(ll.move(ws, far * direction, tiny_faces)["ws"], tiny_faces) for far in (2, -2))
    moved = ground(more) - ground(less)
    assert (moved > 0).all()
    assert moved.mean() > 0.5
    assert (skin(more) - skin(less)).abs().mean() < moved.mean() / 3


def test_hair_is_where_it_was_dragged_to(tiny_faces):
    """By the patch of the image around the point, which the drag, on inner features, never compares."""
    found = []
    for seed in range(6):
        ws = tiny_faces.mapping(z_from_seeds([seed], tiny_faces.z_dim), psi=0.7)
        dragged = drag(ws, [(16, 5)], [(16, 8)], tiny_faces, DragSettings(steps=40), progress=False).ws
        patch = images_of(ws, tiny_faces)[..., 2:9, 13:20]
        apart = (images_of(dragged, tiny_faces).unfold(2, 7, 1).unfold(3, 7, 1) - patch[:, :, None, None]).square()
        found.append(int(apart[:, :, :12, 11:16].mean(dim=(0, 1, 3, 4, 5)).argmin()) - 2)  # rows further down
    assert min(found) >= 1
    assert sorted(found)[3] in (2, 3, 4)
