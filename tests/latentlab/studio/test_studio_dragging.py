"""Moves of a drag as text and clicks, its mask, and a face whose code a drag has left."""

import pytest
import torch
from conftest import make_tiny
from PIL import Image

from latentlab.errors import UserError
from latentlab.latents import load_latents
from latentlab.pipelines import Components
from latentlab.scorers import FunctionScorer
from latentlab.studio.dragging import Moves, drag_face, marked, mask_of
from latentlab.studio.faces import CodeFace, SeedFace
from latentlab.studio.networks import Networks
from latentlab.studio.recipes import recipe_of
from latentlab.studio.session import Session
from latentlab.studio.working import Report
from stylegan2.config import GeneratorConfig

CONFIG = GeneratorConfig(resolution=64, z_dim=16, w_dim=16, mapping_layers=2, channel_base=512, channel_max=16)


def test_clicks_are_points_and_targets_in_turn():
    moves = Moves()
    texts = []
    for x, y in ((10, 20), (30, 40), (5, 6)):
        moves = moves.clicked(x, y)
        texts.append(str(moves))
    assert texts == ["10,20 > ", "10,20 > 30,40", "10,20 > 30,40\n5,6 > "]
    assert Moves.parse(texts[-1]) == moves
    with pytest.raises(UserError, match="no target yet"):
        moves.checked()
    points, targets = moves.clicked(7, 8).checked()
    assert points.tolist() == [[10, 20], [5, 6]]
    assert targets.tolist() == [[30, 40], [7, 8]]


@pytest.mark.parametrize("text", ["10", "10,20", "10,20 > \n1,2 > 3,4", "a,b > c,d", "-1,2 > 3,4", "1,2 > 3,4\n" * 21])
def test_what_is_no_move_is_told(text):
    with pytest.raises(UserError):
        Moves.parse(text)


def test_without_moves_it_is_told_what_to_do():
    with pytest.raises(UserError, match="click on a point"):
        Moves.parse(" \n").checked()


def test_marks_lie_where_the_points_are():
    image = marked(Image.new("RGB", (100, 100)), Moves.parse("500,500 > 800,500"), 1000)
    assert image.getpixel((50, 50)) == (220, 38, 38)
    assert image.getpixel((80, 50)) == (29, 78, 216)
    assert image.getpixel((20, 20)) == (0, 0, 0)


def test_a_mask_is_what_was_painted():
    assert mask_of(None, 8) is None
    painted = Image.new("RGBA", (4, 4))
    assert mask_of(painted, 8) is None
    painted.putpixel((3, 0), (0, 0, 255, 128))
    mask = mask_of(painted, 8)
    assert mask.shape == (8, 8)
    assert mask.sum() == mask[:2, 6:].sum() == 4


def test_a_dragged_face_is_edited_on_and_made_again(tmp_path):
    scorer = FunctionScorer(("bright",), lambda images: images.mean((1, 2, 3))[:, None])
    networks = Networks(Components.load(make_tiny(CONFIG), scorer))
    subject, moves = networks.subject(SeedFace(3)), Moves.parse("20,20 > 26,20")
    path = drag_face(subject, (), moves, None, 2, tmp_path / "dragged-1" / "dragged.safetensors", Report())
    face = CodeFace(path)
    assert face.title == "dragged-1"
    dragged = networks.subject(face)
    torch.testing.assert_close(dragged.latents["ws"], load_latents(path))
    assert not torch.equal(dragged.before, subject.before)
    recipe = recipe_of(Session(face), networks)
    assert "ll.load_latents('dragged.safetensors')" in recipe.python
    assert "--latents dragged.safetensors" in recipe.command
