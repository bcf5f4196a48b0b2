"""`latentlab label` by several scorers at once, and `latentlab fit` for several attributes and in every space."""

from pathlib import Path

import numpy as np
import pytest

import stylegan2
from latentlab.directions import Direction
from latentlab.directions.confidence import bootstrap_cosine, compare_decisions
from latentlab.directions.fitting import examples_for
from latentlab.metrics import format_interval
from latentlab.samples import SampleStore
from stylegan2.config import GeneratorConfig
from tests.conftest import make_tiny

# The smallest images that attributes are scored on.
CONFIG = GeneratorConfig(resolution=64, z_dim=16, w_dim=16, mapping_layers=2, channel_base=512, channel_max=16)
SCORERS = "attributes:young,attributes:male,lighting"


@pytest.fixture(scope="module")
def place(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("fit")
    stylegan2.save(make_tiny(CONFIG), folder / "tiny.safetensors")
    return folder


@pytest.fixture
def labelled(run, place):
    """Samples of several scorers, and what labelling them printed; drawn once."""
    words = ["--samples", 60, "--precision", "float32", "--threshold", "attributes:young=q0.4,attributes:male=median"]
    code, out, err = run("label", "--network", place / "tiny.safetensors", "--scorer", SCORERS, *words,
                         "--out", place / "samples")  # fmt: skip
    assert code == 0, err
    return place / "samples", out


def test_several_scorers_label_one_rendering(labelled):
    samples, out = labelled
    table = SampleStore.load(samples).table()
    assert table.names == ("attributes:young", "attributes:male", "lighting:light_side", "lighting:light")
    lines = out.splitlines()
    assert lines[0].startswith("   attributes:young  60.0% (36 positive, 24 negative; scores from ")
    assert "lighting:light  50.0% (30 positive, 30 negative; scores from " in lines[3]
    odds = table.column("attributes:male") / (1 - table.column("attributes:male"))
    np.testing.assert_allclose(table.logits("attributes:male"), np.log(odds), atol=1e-3)
    np.testing.assert_array_equal(table.logits("lighting:light"), table.column("lighting:light"))


def test_several_attributes_are_fitted_into_a_folder(run, refused, labelled, tmp_path):
    samples, _ = labelled
    both = ["--attribute", "attributes:young", "--attribute", "lighting:light"]
    code, out, err = run("fit", samples, *both, "--method", "ridge", "--out", tmp_path / "some")
    assert code == 0, err
    found = {path.name: Direction.load(path) for path in sorted((tmp_path / "some").iterdir())}
    assert list(found) == ["attributes-young.safetensors", "lighting-light.safetensors"]
    assert [direction.attribute for direction in found.values()] == ["attributes:young", "lighting:light"]
    assert out.count("# Direction: ") == out.count("written to ") == 2
    line = refused("fit", samples, *both, "--out", tmp_path / "one.safetensors")
    assert "the directions of 2 attributes go into a folder" in line
    line = refused("fit", samples, *both, "--attribute", "young", "--out", tmp_path / "none")
    assert "no score is called 'young'; there are attributes:young" in line
    assert not (tmp_path / "none").exists()


def test_a_method_of_styles_loads_the_generator_of_the_samples(run, refused, labelled, place, tmp_path):
    samples, _ = labelled
    words = ["fit", samples, "--attribute", "lighting:light", "--method", "style-correlation"]
    code, out, err = run(*words, "--network", place / "tiny.safetensors", "--out", tmp_path / "s.safetensors")
    assert code == 0, err
    direction = Direction.load(tmp_path / "s.safetensors")
    assert direction.space == "s" and len(direction.channels) == 10
    assert direction.statistics["held_out_auc"] > 0.5
    changed = make_tiny(CONFIG)
    changed.synthesis.b4.const.data += 1
    stylegan2.save(changed, tmp_path / "other.safetensors")
    line = refused(*words, "--network", tmp_path / "other.safetensors", "--out", tmp_path / "none.safetensors")
    assert "the samples are of the generator" in line and not (tmp_path / "none.safetensors").exists()
    assert "--scorer has no effect with --method style-correlation" in refused(*words, "--scorer", "fer")
    assert "--network has no effect with --method mean" in refused(*words[:-1], "mean", "--network", "x")


def test_a_method_that_looks_through_the_generator_takes_its_scorer_too(run, refused, labelled, place, tmp_path):
    samples, _ = labelled
    words = ["fit", samples, "--attribute", "lighting:light", "--method", "gradient"]
    network = ["--network", place / "tiny.safetensors"]
    code, _, err = run(*words, *network, "--scorer", SCORERS, "--out", tmp_path / "g.safetensors")
    assert code == 0, err
    assert Direction.load(tmp_path / "g.safetensors").statistics["held_out_auc"] > 0.5
    line = refused(*words, *network, "--scorer", "attributes", "--out", tmp_path / "none.safetensors")
    assert "the samples are of the scorer" in line


def test_components_are_called_by_a_name_and_numbered(run, refused, labelled, place, tmp_path):
    samples, _ = labelled
    words = ["fit", samples, "--method", "sefa", "--network", place / "tiny.safetensors"]
    code, _, err = run(*words, "--out", tmp_path / "c.safetensors")
    assert code == 0, err
    found = [Direction.load(tmp_path / f"c-{k}.safetensors") for k in range(10)]
    assert [direction.attribute for direction in found] == [f"sefa-{k}" for k in range(10)]
    assert "finds the same for every attribute" in refused(*words, "--attribute", "a", "--attribute", "b")
    assert "--threshold has no effect with --method sefa" in refused(*words, "--threshold", "median")


def test_stability_is_that_of_the_methods_own_rows(run, refused, labelled):
    samples, _ = labelled
    words = ["directions", "stability", samples, "--attribute", "lighting:light", "--method"]
    code, out, err = run(*words, "mean", "--against", "ridge", "--resamples", 5)
    assert code == 0, err
    rows = examples_for(SampleStore.load(samples).table(), "lighting:light", "mean")
    expected = bootstrap_cosine(rows.finder, rows.x, rows.y, 5, progress=False)
    assert out.startswith(f"lighting:light by mean: the cosine of a direction of resampled samples to this one is "
                          f"{format_interval(expected)}\n")  # fmt: skip
    assert [line.split(" | ")[0] for line in out.splitlines()[4:7]] == ["| 45", "| 22", "| 11"]
    verdict = out.splitlines()[-1]
    decisions = {}
    for method in ("mean", "ridge"):
        of_method = examples_for(SampleStore.load(samples).table(), "lighting:light", method)
        of_method.finder.fit(of_method.x, of_method.y)
        x, labels = of_method.held_out
        decisions[method] = of_method.finder.decision_function(x)
    compared = compare_decisions(decisions["mean"], decisions["ridge"], labels)
    assert f"AUC of mean {compared.one:.3f}, of ridge {compared.other:.3f}, difference" in verdict
    assert verdict.endswith({"one": "mean separates better", "other": "ridge separates better", "neither": "a tie"}[
        compared.better])  # fmt: skip

    assert "ganspace learns from no score" in refused(*words, "ganspace")
    assert "no score is called 'happy'" in refused("directions", "stability", samples, "--method", "mean")
    assert "--network has no effect with these methods" in refused(*words, "mean", "--network", "x")


def test_components_are_named_by_what_goes_with_them(run, refused, labelled, place, tmp_path):
    samples, _ = labelled
    network = ["--network", place / "tiny.safetensors"]
    for method, name in (("ridge", "w"), ("style-correlation", "s")):
        given = network if name == "s" else []
        words = ["fit", samples, "--attribute", "lighting:light", "--method", method, *given]
        assert run(*words, "--out", tmp_path / f"{name}.safetensors")[0] == 0
    files = [tmp_path / f"{name}.safetensors" for name in "ws"]
    code, out, err = run("directions", "name", *files, "--samples", samples, *network)
    assert code == 0, err
    rows = [line.split(" | ") for line in out.splitlines()[2:]]
    assert [row[0] for row in rows] == ["| w", "| s"]
    assert all("+lighting:light" in row[1] and "lighting:light 0." in row[2] for row in rows)
    words = ["directions", "name", files[0], "--samples", samples]
    assert "no score is called 'smiling'" in refused(*words, "--attribute", "smiling")
