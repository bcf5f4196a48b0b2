"""Directions in the forms that others read, back again, and the sign that they turn out to have."""

import numpy as np
import pytest

from latentlab.datasets.known_factors import LAYERS, KnownFactors
from latentlab.directions import Direction, StyleChannels, export_direction, load_direction, shipped_directions
from latentlab.directions.exporting import SUFFIXES
from latentlab.editing import from_published, move
from latentlab.errors import UserError
from latentlab.mapping import latents_of_seeds
from latentlab.pipelines import Components, import_direction
from latentlab.scorers import FunctionScorer

WIDTHS = dict.fromkeys(LAYERS, 12)


def unit(*shape):
    vector = np.random.default_rng(0).standard_normal(shape)
    return (vector / np.linalg.norm(np.atleast_2d(vector), axis=1).max()).astype(np.float32)


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize(
    ("direction", "form", "shape"),
    [
        (Direction(unit(16), "mouth", "known"), None, (1, 16)),
        (Direction(unit(16), "mouth", "known"), "vector", (16,)),
        (Direction(unit(16), "mouth", "known"), "rows", (4, 16)),
        (Direction(unit(16), "mouth", "known", layers=(1, 2)), None, (4, 16)),
        (Direction(unit(4, 16), "mouth", "known", space="w+"), None, (4, 16)),
        (Direction(unit(16), "mouth", "published", statistics={"length": 3.0}), None, (1, 16)),
    ],
)
def test_what_is_exported_loads_as_what_it_was(direction, form, shape, suffix, tmp_path):
    path = tmp_path / f"own{suffix}"
    export_direction(direction, path, form, num_ws=4)
    if suffix == ".npy":
        assert np.load(path).shape == shape
    back = load_direction(path)
    assert back.rows(4) == pytest.approx(direction.rows(4), abs=1e-6)
    assert back.length == pytest.approx(direction.length or 1.0)


@pytest.mark.parametrize("suffix", [".npz", ".pt", ".safetensors"])
def test_a_direction_of_styles_comes_back_as_the_same_edit(suffix, tmp_path):
    channels = StyleChannels(("b4.conv1", "b8.conv1", "b4.conv1"), np.array([3, 7, 0]), np.array([2.0, 0.5, 1.0]))
    direction = Direction(unit(3), "mouth", "known", space="s", channels=channels)
    export_direction(direction, tmp_path / f"own{suffix}", widths=WIDTHS)
    back = load_direction(tmp_path / f"own{suffix}", "mouth")
    generator = KnownFactors()
    latents = latents_of_seeds(generator, [0, 1], 0.7)
    one, other = (move(latents, [(d, s)], generator) for d, s in ((direction, 1.5), (back, from_published(back, 1.5))))
    for name, style in one.items():
        assert other[name].numpy() == pytest.approx(style.numpy(), abs=1e-5)


@pytest.mark.parametrize(
    ("name", "keywords", "message"),
    [
        ("own.txt", {}, "exported as .npy, .npz, .pt, .safetensors, not own.txt"),
        ("own.npy", {"form": "rows"}, "take the number of rows of ws"),
        ("own.npy", {"form": "line"}, "vector, row, rows, not 'line'"),
    ],
)
def test_forms_that_do_not_fit_are_refused(name, keywords, message, tmp_path):
    with pytest.raises(UserError, match=message):
        export_direction(Direction(unit(16), "mouth", "known"), tmp_path / name, **keywords)
    assert not list(tmp_path.iterdir())
    channels = StyleChannels(("b4.conv1",), np.array([3]), np.ones(1))
    styles = Direction(np.ones(1, np.float32), "mouth", "known", space="s", channels=channels)
    for wrong, given, why in (
        ("a.npy", {"widths": WIDTHS}, "cannot hold: take .npz"),
        ("a.npz", {}, "takes the number of channels"),
        ("a.npz", {"widths": {"b4.conv1": 2}}, "no channel b4.conv1:3"),
        ("a.npz", {"widths": WIDTHS, "form": "row"}, "one form"),
    ):
        with pytest.raises(UserError, match=why):
            export_direction(styles, tmp_path / wrong, **given)


def test_a_published_direction_is_told_by_the_sign_it_has(tmp_path):
    generator = KnownFactors()
    path = tmp_path / "grin.npy"
    np.save(path, -3 * generator.direction("mouth")[None])
    scorer = generator.scorer("mouth")
    with pytest.warns(UserWarning, match="mouth grows when strengths are negative: the logit moves by -"):
        load_direction(path, "mouth", generator, scorer)
    imported = import_direction(path, "mouth", Components.load(generator, scorer))
    assert imported.notice.sign == -1 and imported.direction.sigma > 0
    assert "negative" in imported.direction.statistics["sign"]
    turned = import_direction(path, "mouth", Components.load(generator, scorer), reverse=True)
    assert turned.notice.sign == 1 and turned.direction.vector == pytest.approx(-imported.direction.vector)
    np.save(path, generator.direction("size"))  # which has nothing to do with it
    assert import_direction(path, "mouth", Components.load(generator, scorer)).notice.sign == 0
    with pytest.raises(UserError, match="no score is called 'grin'"):
        load_direction(path, "grin", generator, FunctionScorer(("a", "b"), lambda images: images.mean((2, 3))[:, :2]))
    with pytest.raises(UserError, match="give the generator with the scorer"):
        load_direction(path, "mouth", scorer=scorer)


def test_what_ships_is_what_lies_there(run):
    assert "smile" in shipped_directions()
    code, out, _ = run("directions", "list")
    names = [line.split()[0] for line in out.partition("\n\n")[0].splitlines()]
    assert code == 0 and names == ["name", *shipped_directions()]
    code, out, _ = run("directions", "show", "smile")
    assert code == 0 and out.startswith("# Direction: ") and "| unit of strengths | length 1 in " in out


def test_commands_refuse_what_they_cannot_do(refused, run, tmp_path):
    assert "no file grin, and no direction of that name" in refused("directions", "show", "grin")
    assert "takes two directions or more" in refused("directions", "compare", "smile")
    assert "smile is given twice" in refused("directions", "measure", "smile", "smile")
    line = refused("directions", "measure", "smile", "--samples", tmp_path, "--count", 9)
    assert "--count has no effect with --samples" in line
    line = refused("directions", "measure", "smile", "--teacher", "attributes:smiling")
    assert "are of one; give another judge" in line
    line = refused("directions", "export", "smile", tmp_path / "smile.npy")
    assert "take .npz or, for a single array, a direction of w, such as smile-w" in line
    code, _, _ = run("directions", "export", "smile-w", tmp_path / "smile.npy", "--form", "vector")
    assert code == 0 and np.load(tmp_path / "smile.npy").shape == (512,)
