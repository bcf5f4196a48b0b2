"""Line drawings, and pairs of them."""

import torch

from latentlab import images
from latentlab.datasets import NamedImages, Pencil, make_drawings, reduce_drawing
from latentlab.files import images_in
from latentlab.translation.data.folders import Reading
from latentlab.translation.data.sets import open_pairs
from latentlab.translation.data.transforms import Augmentation


def test_a_drawing_follows_edges_and_forgets_specks():
    disc = torch.full((1, 3, 64, 64), -0.8)
    ys, xs = torch.meshgrid(torch.arange(64), torch.arange(64), indexing="ij")
    radius = ((ys - 32.0) ** 2 + (xs - 32.0) ** 2).sqrt()
    disc[:, :, radius < 20] = 0.8
    disc[:, :, 4, 4] = 1.0  # a speck
    drawing = Pencil().draw(disc)
    lines = drawing[0, 0] < 0
    assert set(drawing.unique().tolist()) == {-1.0, 1.0} and drawing.shape == disc.shape
    assert ((radius[lines] - 20).abs() < 2.5).all() and int(lines.sum()) > 100
    assert (Pencil().draw(torch.zeros(1, 3, 32, 32)) == 1).all()


def test_drawings_become_pairs(tmp_path):
    rng = torch.Generator().manual_seed(0)
    shown = [(f"p{k}", torch.rand(1, 3, 20, 30, generator=rng) * 2 - 1) for k in range(5)]
    make_drawings(NamedImages(shown, 5, "noise"), tmp_path, 16, held_out=0.4)
    source = open_pairs(tmp_path, "train", Augmentation.none(16), Reading()).source
    assert len(source) == 3 and len(images_in(tmp_path / "test")) == 2
    sample = source.sample(0, None)
    assert set(sample["a"].unique().tolist()) <= {-1.0, 1.0}
    torch.testing.assert_close(images.load_image(tmp_path / "train" / "p0.png")[..., 16:], sample["b"])


def test_drawings_are_made_large_and_keep_their_lines_when_they_are_reduced(tmp_path):
    drawing = torch.ones(1, 3, 64, 64)
    drawing[:, :, 21, 8:40] = -1
    small = reduce_drawing(drawing, 16)
    assert (small < 0)[0, 0].nonzero().tolist() == [[5, column] for column in range(2, 10)]
    assert torch.equal(reduce_drawing(drawing, 64), drawing) and torch.equal(reduce_drawing(drawing, 100), drawing)

    ring = torch.full((1, 3, 64, 64), -0.8)  # too thin for 16 pixels
    ys, xs = torch.meshgrid(torch.arange(64), torch.arange(64), indexing="ij")
    radius = ((ys - 32.0) ** 2 + (xs - 32.0) ** 2).sqrt()
    ring[:, :, (radius < 18) & (radius > 13)] = 0.8
    make_drawings(NamedImages([("ring", ring)], 1), tmp_path, 16, held_out=0)
    pair = images.load_image(tmp_path / "train" / "ring.png")
    expected = reduce_drawing(Pencil().draw(ring), 16)
    assert pair.shape == (1, 3, 16, 32) and torch.equal(pair[..., :16], expected)
    assert (expected < 0).sum() > (Pencil().draw(images.resize(ring, 16, 16)) < 0).sum()
