"""`latentlab edit` and `walk`: strengths, layers, latent codes and animations, on a tiny generator."""

import sys

import numpy as np
import pandas as pd
import pytest
import torch
from conftest import make_tiny
from PIL import Image, ImageSequence

import stylegan2
from latentlab.directions import Direction
from latentlab.images import load_image, save_image
from latentlab.latents import load_latents
from latentlab.pipelines.edits import edited_codes
from stylegan2.config import GeneratorConfig

CONFIG = GeneratorConfig(resolution=64, z_dim=16, w_dim=16, mapping_layers=2, channel_base=512, channel_max=16)


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    return tmp_path_factory.mktemp("edits")


@pytest.fixture(scope="module")
def generator():
    return make_tiny(CONFIG)


@pytest.fixture(scope="module")
def network(place, generator):
    stylegan2.save(generator, place / "tiny.safetensors")
    return place / "tiny.safetensors"


@pytest.fixture(scope="module")
def direction(place, generator):
    vector = np.eye(1, CONFIG.w_dim, dtype=np.float32)[0]
    found = Direction(vector, "bright", "m", strength_range=(-0.5, 0.25), generator=generator.fingerprint)
    found.save(place / "bright.safetensors")
    return place / "bright.safetensors"


@pytest.fixture(scope="module")
def published(place):
    """A published direction of 18 rows; the generator's ws have ten."""
    rows = np.arange(18 * CONFIG.w_dim, dtype=np.int32).reshape(1, 18, CONFIG.w_dim) % 7
    rows[:, 8:] *= 3  # the longest rows are among those that are left out
    np.save(place / "rows.npy", rows)
    return place / "rows.npy"


# --- animations, which need no scorer -----------------------------------------------------------------------


def test_an_animation_is_smooth_and_keeps_to_the_range(run, network, direction, tmp_path, generator):
    words = ["--direction", direction, "--network", network, "--seeds", "3"]
    code, out, _ = run("walk", *words, "--out", tmp_path / "walk.gif")
    assert code == 0 and "written to" in out
    with Image.open(tmp_path / "walk.gif") as gif:
        assert (gif.n_frames, gif.size) == (60, (64, 64))
        assert {frame.info["duration"] for frame in ImageSequence.Iterator(gif)} == {40}
        gif.seek(30)  # the end towards the attribute
        shown = np.asarray(gif.convert("RGB")).astype(float)
    ws = generator.mapping(stylegan2.z_from_seeds([3], 16), psi=0.7)
    ws[:, :, 0] += 0.25
    wanted = (generator.synthesis(ws)[0].permute(1, 2, 0).clamp(-1, 1).numpy() + 1) * 127.5
    assert np.abs((shown - wanted).mean(axis=(0, 1))).max() < 3  # dithering errs about the true colours
    assert np.abs(shown - wanted).mean() < 20


def test_frames_speed_and_size_are_chosen(run, network, direction, tmp_path):
    words = ["--direction", direction, "--network", network, "--seeds", "3", "--resolution", 32]
    assert run("walk", *words, "--frames", 8, "--fps", 10, "--out", tmp_path / "a.gif")[0] == 0
    with Image.open(tmp_path / "a.gif") as gif:
        assert (gif.n_frames, gif.size, gif.info["duration"]) == (8, (32, 32), 100)


@pytest.mark.parametrize(
    ("name", "words", "message"),
    [
        ("a.gif", ["--fps", 60], "fps must be above 0 and at most 50"),
        ("a.gif", ["--resolution", 65], "1 to 64 pixels"),
        ("a.gif", ["--scorer", "fer"], "--scorer has no effect on an animation"),
        ("a.png", ["--frames", 20], "--frames has no effect on a figure"),
        ("a.png", ["--fps", 20], "--fps has no effect on a figure"),
        ("a.gif", ["--strengths", "1"], "between two strengths"),
        ("a.gif", ["--units", "sigma"], "--units has no effect without --strengths"),
        ("a.gif", ["--strengths", "-1,1", "--units", "sigma"], "has no sigma"),
        ("a.gif", ["--strengths", "-1,1", "--units", "published"], "is no published array"),
        ("a.gif", ["--layers", "3-1"], "layers are all, or numbers and ranges"),
        ("a.gif", ["--layers", "3-10"], "the layers 0 to 9, not 10"),
    ],
)
def test_what_cannot_be_drawn_is_refused(refused, network, direction, tmp_path, name, words, message):
    assert message in refused("walk", "--direction", direction, "--network", network, *words, "--out", tmp_path / name)
    assert not (tmp_path / name).exists()


def test_an_mp4_without_its_package_is_refused_before_anything_is_loaded(refused, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "imageio_ffmpeg", None)  # what an import of it finds when it is absent
    line = refused("walk", "--direction", "smile", "--network", tmp_path / "missing.pt", "--out", tmp_path / "a.mp4")
    assert 'pip install "imageio[ffmpeg]"' in line


# --- rows of another number, and latent codes ---------------------------------------------------------------


def test_rows_of_another_number_are_a_choice(run, refused, network, published, tmp_path):
    words = ["walk", "--direction", published, "--network", network, "--seeds", 1, "--force", "--frames", 2]
    line = refused(*words, "--out", tmp_path / "a.gif")
    assert "has 18 rows, the generator's ws have 10 rows" in line and "--layers all" in line
    for layers in ("all", "0-3"):  # as the message says
        code, out, err = run(*words, "--layers", layers, "--out", tmp_path / f"{layers}.gif")
        assert code == 0, err


@pytest.mark.weights
def test_codes_are_edited_like_seeds(run, refused, network, generator, published, tmp_path):
    codes = torch.randn(2, 18, CONFIG.w_dim, generator=torch.Generator().manual_seed(0))
    torch.save(codes, tmp_path / "latents.pt")
    words = ["edit", "--direction", published, "--network", network, "--latents", tmp_path / "latents.pt", "--force"]
    more = ["--strengths", "0,0.1", "--units", "published", "--out", tmp_path / "out"]
    assert "has no effect with --latents" in refused(*words, *more, "--psi", 0.5)
    code, out, err = run(*words, *more, "--layers", "0-3")
    assert code == 0 and "4 images" in out, err
    names = sorted(path.name for path in (tmp_path / "out").glob("*.png"))
    assert [name[:12] for name in names] == ["latent000000"] * 2 + ["latent000001"] * 2
    assert sorted(set(pd.read_parquet(tmp_path / "out" / "edits.parquet")["seed"])) == [0, 1]
    ws = codes[1:, :10].clone()
    ws[:, :4] += 0.1 * torch.from_numpy(np.load(published))[:, :4]
    wanted = generator.synthesis(ws).clamp(-1, 1)
    unedited, edited = (load_image(tmp_path / "out" / name) for name in names[2:])
    assert (edited - wanted).abs().mean() < 0.01 < 0.1 < (unedited - wanted).abs().mean()


def test_codes_of_another_number_of_rows_are_a_choice(run, refused, network, direction, tmp_path):
    np.savez(tmp_path / "projected_w.npz", w=np.zeros((1, 18, CONFIG.w_dim), np.float32))
    words = ["walk", "--direction", direction, "--network", network, "--latents", tmp_path / "projected_w.npz"]
    line = refused(*words, "--frames", 2, "--out", tmp_path / "a.gif")
    assert "the latent codes have 18 rows, the generator's ws 10" in line and "--layers all" in line
    assert run(*words, "--layers", "all", "--frames", 2, "--out", tmp_path / "a.gif")[0] == 0


@pytest.mark.weights
def test_edits_keep_to_the_range(run, network, direction, tmp_path):
    words = ["--direction", direction, "--network", network, "--seeds", "3"]
    code, out, err = run("edit", *words, "--out", tmp_path / "edits")
    assert code == 0, err
    assert sorted(set(pd.read_parquet(tmp_path / "edits" / "edits.parquet")["strength"])) == [-0.5, 0, 0.25]


# --- a strength of each face ---------------------------------------------------------------------------------


def test_a_target_finds_a_strength_for_each_face(run, network, direction, tmp_path):
    words = ["edit", "--direction", direction, "--network", network, "--scorer", "attributes:smiling"]
    words += ["--attribute", "smiling", "--seeds", "3-5"]
    code, out, err = run(*words, "--target", 0.999, "--out", tmp_path / "up")
    assert code == 0, err
    lines = out.splitlines()
    assert lines[0].startswith("seed 3: smiling ") and lines[0].endswith(", the nearest within the cap")
    assert lines[3:] == [
        "0 of 3 faces reach smiling 0.999; a larger --cap lets the others go further",
        f"6 images in {tmp_path / 'up'}, their scores in edits.parquet",
    ]
    assert len(list((tmp_path / "up").glob("*_target0.999.png"))) == len(list((tmp_path / "up").glob("*_+0.png"))) == 3
    rows = pd.read_parquet(tmp_path / "up" / "edits.parquet")
    assert not rows["reached"].any() and rows["strength"].between(0, 1.25 * 0.25).all()
    code, out, err = run(*words, "--target", 0.999, "--healthy", 0.001, "--out", tmp_path / "near")
    assert code == 0 and "a larger --cap or --healthy lets the others go further" in out, err
    near = pd.read_parquet(tmp_path / "near" / "edits.parquet")
    assert (near["strength"] <= rows["strength"] + 1e-6).all() and near["strength"].sum() < rows["strength"].sum()
    before = rows["smiling"][::2].to_numpy()
    code, out, err = run(*words, "--target", before.max() + 1e-3, "--cap", 0.01, "--out", tmp_path / "down")
    assert code == 0, err
    there = 3 if before.max() + 1e-3 < 0.5 else 0  # below one half, scores are to fall
    assert pd.read_parquet(tmp_path / "down" / "edits.parquet")["reached"].sum() >= 2 * there


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--target", 0.9, "--strengths", "1"], "--strengths has no effect with --target"),
        (["--target", 0.9, "--attribute", "happy"], "no score is called 'happy'"),
        (["--target", 90, "--attribute", "smiling"], "lies above 0 and below 1, such as 0.9, not at 90"),
        (["--target", "nan", "--attribute", "smiling"], "finite"),
        (["--target", 0.9, "--cap", "-1", "--attribute", "smiling"], "finite number above 0, not -1"),
        (["--cap", 2], "--cap has no effect without --target"),
        (["--healthy", 0.9], "--healthy has no effect without --target"),
        (["--healthy", 2, "--target", 0.9, "--attribute", "smiling"], "lies above 0 and below 1, not at 2"),
        (["--attribute", "smiling"], "--attribute has no effect without --target or --photo"),
    ],
)
def test_what_cannot_be_a_target_is_refused(refused, network, direction, tmp_path, words, message):
    line = refused(
        *["edit", "--direction", direction, "--network", network, "--scorer", "attributes:smiling", "--seeds", 3],
        *["--out", tmp_path / "out", *words],
    )
    assert message in line
    assert not (tmp_path / "out").exists()


# --- several directions at once ------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def tilted(place, generator):
    vector = np.eye(2, CONFIG.w_dim, dtype=np.float32)[1]
    Direction(vector, "tilted", "m", sigma=2.0, generator=generator.fingerprint).save(place / "tilted.safetensors")
    return place / "tilted.safetensors"


@pytest.mark.weights
def test_several_directions_move_each_face_at_once(run, network, generator, direction, tilted, tmp_path):
    words = ["edit", "--network", network, "--seeds", "3,4", "--layers", "0-3", "--out", tmp_path / "out"]
    words += ["--direction", direction, "--strength", 0.5, "--direction", tilted, "--strength", -1]
    code, out, err = run(*words, "--save-latents", tmp_path / "edited.npz")
    assert code == 0 and "2 images" in out, err
    wanted = generator.mapping(stylegan2.z_from_seeds([3, 4], 16), psi=0.7)
    wanted[:, :4] += 0.5 * torch.eye(16)[0] - torch.eye(16)[1]
    torch.testing.assert_close(load_latents(tmp_path / "edited.npz"), wanted)
    made = load_image(tmp_path / "out" / "seed000004_edited.png")
    assert (made - generator.synthesis(wanted[1:]).clamp(-1, 1)).abs().max() < 0.01
    assert len(list((tmp_path / "out").glob("*.png"))) == 2
    assert pd.read_parquet(tmp_path / "out" / "edits.parquet")["seed"].tolist() == [3, 4]


ONE, OTHER = ["--strength", "1"], ["--direction", "tilted.safetensors"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (OTHER, "give each of the 2 directions a strength, in their order"),
        ([*OTHER, *ONE], "there are 1"),
        ([*OTHER, *ONE, *ONE, *ONE], "there are 3"),
        ([*OTHER, *ONE, "--strength", "inf"], "strengths must be finite"),
        ([*OTHER, *ONE, *ONE, "--strengths", "1,2"], "--strengths has no effect with several directions"),
        ([*OTHER, *ONE, *ONE, "--target", "0.9"], "--target has no effect with several directions"),
        ([*OTHER, *ONE, *ONE, "--photo", "photo.png", "--cap", "2"], "--cap has no effect without --target"),
        ([*OTHER, *ONE, *ONE, "--units", "sigma"], "the bright direction has no sigma"),
        ([*OTHER, *ONE, *ONE, "--layers", "3-10"], "the layers 0 to 9, not 10"),
        ([*OTHER, *ONE, *ONE, "--video", "film.mp4"], "a video is edited along one direction"),
        (["--direction", "./bright.safetensors", *ONE, *ONE], "./bright.safetensors is given twice"),
        (["--direction", "gone", *ONE, *ONE], "gone"),
        (["--direction", "z.safetensors", *ONE, *ONE, "--photo", "photo.png"], "of space z, and photos projected into"),
        (["--direction", "z.safetensors", *ONE, *ONE, "--latents", "codes.npy"], "moves z, and latent codes are of w"),
        (ONE, "--strength has no effect without --video, on one direction, which takes --strengths"),
        (["--photo", "photo.png", "--latents", "codes.npy"], "one for each photo, in the same order: not 2 for 1"),
        (["--photo", "photo.png", "--latents", "codes.npy", "--face", "all"], "choose one of its faces by its number"),
        (["--photo", "photo.png", "--latents", "wide.npy"], r"are (n, 10, 16), not (1, 1, 8)"),
    ],
)
def test_directions_that_do_not_go_together_are_refused(
    refused, place, network, generator, direction, tilted, tmp_path, monkeypatch, words, message
):
    monkeypatch.chdir(place)
    save_image(torch.zeros(3, 64, 64), "photo.png")
    np.save("codes.npy", np.zeros((2, 1, CONFIG.w_dim), np.float32))
    np.save("wide.npy", np.zeros((1, 1, 8), np.float32))
    along = Direction(np.eye(1, CONFIG.z_dim, dtype=np.float32)[0], "deep", "m", "z", generator=generator.fingerprint)
    along.save("z.safetensors")
    out = tmp_path / "out"
    assert message in refused("edit", "--direction", direction.name, *words, "--network", network, "--out", out)
    assert not out.exists()


# --- latents of edits ----------------------------------------------------------------------------------------


@pytest.mark.weights
def test_latents_of_edits_are_saved_face_by_face(run, network, generator, direction, tmp_path):
    words = ["edit", "--direction", direction, "--network", network, "--strengths=0,0.5", "--out", tmp_path / "out"]
    code, out, err = run(*words, "--seeds", "3,4", "--save-latents", tmp_path / "edited.pt")
    assert code == 0, err
    assert out.endswith(f"their latents are in {tmp_path / 'edited.pt'}, face by face at each strength\n")
    ws = generator.mapping(stylegan2.z_from_seeds([3, 4], 16), psi=0.7)
    wanted = torch.stack([ws, ws + 0.5 * torch.eye(16)[0]], dim=1).flatten(0, 1)
    torch.testing.assert_close(load_latents(tmp_path / "edited.pt"), wanted)
    # They are what was rendered, and are edited on like codes of others.
    made = load_image(tmp_path / "out" / "seed000003_+0.5.png")
    assert (made - generator.synthesis(wanted[1:2]).clamp(-1, 1)).abs().max() < 0.01
    more = ["--latents", tmp_path / "edited.pt", "--save-latents", tmp_path / "again.npy"]
    assert run(*words, *more)[0] == 0
    torch.testing.assert_close(load_latents(tmp_path / "again.npy")[1::2], wanted + 0.5 * torch.eye(16)[0])


@pytest.mark.weights
def test_latents_at_the_strength_of_each_face_and_along_z(generator, tmp_path):
    strengths = np.array([[0, 1], [0, -2]])
    ws = generator.mapping(stylegan2.z_from_seeds([3, 4], 16))
    along = Direction(np.eye(16, dtype=np.float32)[1], "bright", "m", generator=generator.fingerprint)
    found = edited_codes({"ws": ws}, along, strengths, generator)
    torch.testing.assert_close(found[3], ws[1] - 2 * torch.eye(16)[1])
    z = stylegan2.z_from_seeds([3, 4], 16)
    in_z = Direction(along.vector, "bright", "m", "z", generator=generator.fingerprint)
    found = edited_codes({"z": z, "psi": torch.full((2,), 0.7)}, in_z, strengths, generator)
    torch.testing.assert_close(found[1], generator.mapping(z[:1] + torch.eye(16)[1], psi=0.7)[0])


@pytest.mark.parametrize("source", [["--seeds", "3"], ["--photo", "photo.png"]])
def test_latents_that_cannot_be_saved_are_refused(refused, network, direction, tmp_path, monkeypatch, source):
    monkeypatch.chdir(tmp_path)
    save_image(torch.zeros(3, 64, 64), "photo.png")
    words = ["edit", *source, "--network", network]
    line = refused(*words, "--direction", "smile", "--save-latents", "codes.pt")
    assert "moves style channels (space s)" in line and "such as smile-w" in line
    assert "written as .pt" in refused(*words, "--direction", direction, "--save-latents", "codes.csv")
    assert [path.name for path in tmp_path.iterdir()] == ["photo.png"]


# --- half precision -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "written"),
    [
        (("generate", "--seeds", "3"), "seed000003.png"),
        (("edit", "--seeds", "3", "--strengths", "0.2", "--scorer", "attributes"), "seed000003_+0.2.png"),
        (("walk", "--seeds", "3", "--strengths", "0,0.2", "--frames", "2"), "walk.gif"),
        (("interpolate", "3", "4", "--frames", "2"), "between.gif"),
    ],
)
def test_images_in_half_precision_are_nearly_the_same(run, network, direction, tmp_path, words, written):
    found = {}
    for precision in ("float32", "bfloat16"):
        out = tmp_path / precision
        target = out / written if written.endswith("gif") else out
        given = ["--direction", direction] if words[0] in ("edit", "walk") else []
        code, _, err = run(*words, *given, "--network", network, "--precision", precision, "--out", target)
        assert code == 0, err
        with Image.open(out / written) as image:
            found[precision] = np.asarray(image.convert("RGB"), dtype=float)
    difference = np.abs(found["float32"] - found["bfloat16"])
    assert 0 < difference.mean() < (12 if written.endswith("gif") else 2)  # a GIF chooses its colours anew


def test_photos_have_their_own_precision(run, network, direction, tmp_path):
    save_image(torch.zeros(3, 64, 64), tmp_path / "photo.png")
    words = ["--direction", direction, "--network", network, "--precision", "bfloat16", "--out", tmp_path / "out"]
    code, _, err = run("edit", "--photo", tmp_path / "photo.png", *words)
    assert code == 2
    assert "--precision has no effect with --photo" in err
