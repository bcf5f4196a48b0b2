"""Pictures: bytes and floats, files of all kinds, grids."""

import io
import os
import re
import struct
import subprocess
import sys
import zlib

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageOps, features

from latentlab import images
from latentlab.errors import UserError
from latentlab.faces import FaceFound, align, paste_back
from latentlab.projection import MaskedImages
from latentlab.scorers import FunctionScorer


def test_every_byte_survives_the_round_trip():
    array = np.arange(256, dtype=np.uint8).reshape(16, 16)
    image = Image.fromarray(np.stack([array, 255 - array, array.T], 2))
    back = images.to_pil(images.from_pil(image))
    assert np.array_equal(np.asarray(back), np.asarray(image))


@pytest.mark.parametrize(
    ("value", "byte"),
    [(-1, 0), (1, 255), (0, 128), (-3, 0), (3, 255), (1 / 127.5 - 1, 1), (1.49 / 127.5 - 1, 1)],
)
def test_rounding_is_to_the_nearest_and_clamped(value, byte):
    assert images.to_bytes(torch.tensor([float(value)])).item() == byte


def test_exif_orientation_is_applied(tmp_path):
    array = np.zeros((20, 40, 3), np.uint8)
    array[:, :20] = 255  # left half white
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned clockwise by 90 degrees: left becomes top
    Image.fromarray(array).save(tmp_path / "turned.png", exif=exif)
    picture = images.load_image(tmp_path / "turned.png")
    assert picture.shape == (1, 3, 40, 20)
    assert picture[0, :, :20].min() == 1 and picture[0, :, 20:].max() == -1


def test_grey_and_palette_become_rgb():
    grey = images.from_pil(Image.new("L", (3, 2), 51))
    palette = images.from_pil(Image.new("RGB", (3, 2), (0, 51, 255)).convert("P", palette=Image.Palette.ADAPTIVE))
    assert torch.allclose(grey, torch.full((1, 3, 2, 3), 51 / 127.5 - 1))
    assert images.to_bytes(palette[0, :, 0, 0]).tolist() == [0, 51, 255]


def test_transparent_pixels_are_white():
    image = Image.new("RGBA", (2, 1), (255, 0, 0, 255))
    image.putpixel((1, 0), (0, 0, 0, 0))
    assert images.to_bytes(images.from_pil(image)[0, :, 0].T).tolist() == [[255, 0, 0], [255, 255, 255]]


def test_16_bit_grey_keeps_its_precision(tmp_path):
    levels = np.array([[0, 1, 257, 65535]], np.uint16)
    Image.fromarray(levels).save(tmp_path / "deep.png")
    picture = images.load_image(tmp_path / "deep.png")
    assert torch.allclose(picture[0, 0], torch.from_numpy(levels / 65535 * 2 - 1).float(), atol=1e-7)


def test_what_is_no_picture_is_named(tmp_path):
    (tmp_path / "notes.png").write_text("not a picture")
    with pytest.raises(UserError, match=r"notes\.png is not an image"):
        images.load_image(tmp_path / "notes.png")
    with pytest.raises(UserError, match=r"missing\.png"):
        images.load_image(tmp_path / "missing.png")
    Image.new("F", (2, 2)).save(tmp_path / "floats.tiff")
    with pytest.raises(UserError, match=r"floats\.tiff: .*32-bit"):
        images.load_image(tmp_path / "floats.tiff")


def test_one_image_becomes_one_of_pil_and_other_tensors_are_refused():
    image = torch.rand(1, 3, 4, 5, generator=torch.Generator().manual_seed(0)) * 2 - 1
    assert images.to_pil(image).size == (5, 4) and images.to_pil(image).mode == "RGB"
    assert np.array_equal(images.to_pil(image[0]), images.to_pil(image))
    several = images.to_pil_list(torch.cat([image, -image]))
    assert len(several) == 2 and np.array_equal(several[0], images.to_pil(image))
    for shape in [(2, 3, 4, 5), (1, 2, 4, 5), (4, 5), (3, 0, 5), (1, 4, 4, 5)]:
        with pytest.raises(ValueError, match=re.escape(str(shape))):
            images.to_pil(torch.zeros(shape))
    with pytest.raises(ValueError, match="NaN"):
        images.to_pil(image / 0 * 0)


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".webp", ".gif"])
def test_a_truncated_picture_is_an_error(tmp_path, suffix):
    noise = torch.rand(3, 64, 64, generator=torch.Generator().manual_seed(0)) * 2 - 1
    images.save_image(noise, tmp_path / f"whole{suffix}")
    content = (tmp_path / f"whole{suffix}").read_bytes()
    (tmp_path / f"half{suffix}").write_bytes(content[: len(content) // 2])
    with pytest.raises(UserError, match=f"half{suffix}"):
        images.load_image(tmp_path / f"half{suffix}")


@given(data=st.binary(max_size=200))
def test_damaged_headers_never_escape_as_other_errors(tmp_path_factory, data):
    path = tmp_path_factory.getbasetemp() / "damaged.png"
    path.write_bytes(b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR" + data)
    with pytest.raises(UserError):
        images.load_image(path)


def png(width, height, *chunks):
    """A black PNG of any size, with further chunks."""

    def chunk(kind, content):
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    rows = zlib.compress(bytes((width + 1) * height) if width * height < 1e8 else b"", 1)
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    inner = b"".join(chunk(*one) for one in [(b"IHDR", header), *chunks, (b"IDAT", rows), (b"IEND", b"")])
    return b"\x89PNG\r\n\x1a\n" + inner


@pytest.mark.skipif(os.name != "posix", reason="the program that would be started is a script")
def test_no_other_program_is_started(tmp_path, monkeypatch):
    (tmp_path / "gs").write_text(f"#!/bin/sh\ntouch {tmp_path}/started\n")
    (tmp_path / "gs").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    (tmp_path / "a.png").write_text("%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n%%EndComments\nshowpage\n")
    with pytest.raises(UserError, match=r"a\.png is not an image in a format that is read here: AVIF, BMP, GIF, JPEG"):
        images.load_image(tmp_path / "a.png")
    assert not (tmp_path / "started").exists()


@pytest.mark.parametrize("kind", ["TGA", "PCX", "ICO", "JPEG2000"])
def test_formats_beyond_the_list_are_refused(tmp_path, kind):
    Image.new("RGB", (32, 32)).save(tmp_path / "a.png", kind)
    with pytest.raises(UserError, match="is not an image in a format"):
        images.load_image(tmp_path / "a.png")


@pytest.mark.parametrize("kind", images.FORMATS)
def test_formats_of_the_list_are_read_whatever_the_suffix(tmp_path, kind):
    if kind == "AVIF" and not (features.version("avif") if "avif" in features.modules else None):
        pytest.skip("this Pillow has no AVIF")
    Image.new("RGB", (32, 16), (255, 0, 0)).save(tmp_path / "a.txt", kind)
    assert images.load_image(tmp_path / "a.txt").shape == (1, 3, 16, 32)
    assert images.size_of(tmp_path / "a.txt") == (32, 16)


def test_too_many_pixels_are_refused_by_the_header(tmp_path, recwarn):
    (tmp_path / "most.png").write_bytes(png(10_000, 10_000))
    assert images.size_of(tmp_path / "most.png") == (10_000, 10_000)
    for size in [(10_001, 10_000), (2**31 - 1, 2**31 - 1), (1, 2**31 - 1)]:
        (tmp_path / "a.png").write_bytes(png(*size))
        with pytest.raises(UserError, match=r"a\.png: .*100 megapixels are (the most|too many); reduce"):
            images.load_image(tmp_path / "a.png")
    assert not recwarn.list


@pytest.mark.skipif(sys.platform != "linux", reason="resident memory in kilobytes")
def test_memory_of_a_large_picture(tmp_path):
    """Whole copies as floats took 40 bytes for each pixel."""
    side = 4000
    (tmp_path / "a.png").write_bytes(png(side, side))
    code = (
        "import resource, sys; from latentlab import images\n"
        "peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "before = peak(); images.load_image(sys.argv[1]); print((peak() - before) * 1024)"
    )
    done = subprocess.run([sys.executable, "-c", code, tmp_path / "a.png"], capture_output=True, text=True, check=True)
    assert int(done.stdout) < 20 * side**2


def test_a_line_of_pixels(tmp_path):
    for size in [(3_000_000, 1), (1, 3_000_000)]:
        (tmp_path / "a.png").write_bytes(png(*size))
        assert images.load_image(tmp_path / "a.png").shape == (1, 3, *size[::-1])


# A TIFF is turned by Pillow itself; other modes of it are not tried, which Pillow 13 maps with their sides swapped.
@pytest.mark.parametrize(
    ("suffix", "mode"), [("png", "RGB"), ("png", "L"), ("png", "P"), ("png", "RGBA"), ("tiff", "RGB")]
)
@pytest.mark.parametrize("orientation", range(1, 10))
def test_every_orientation(tmp_path, suffix, mode, orientation):
    picture = Image.fromarray(np.arange(60, dtype=np.uint8).reshape(4, 5, 3)).convert(mode)
    exif = picture.getexif()
    exif[0x0112] = orientation
    path = tmp_path / f"a.{suffix}"
    picture.save(path, exif=exif)
    expected = ImageOps.exif_transpose(picture)
    assert images.size_of(path) == expected.size
    expected = images.from_pil(expected)
    assert torch.equal(images.load_image(path), expected)
    with images.opened(path) as stored:
        assert torch.equal(images.from_pil(images.upright(stored)), expected)  # turned once


def test_exif_data_of_garbage_are_passed_over(tmp_path):
    for content in (
        b"garbage",
        b"II*\0\xff\xff\xff\xff",
        b"MM\0*\0\0\0\x08\xff\xff" + b"\x01\x12\0\x05\xff\xff\xff\xff" * 9,
    ):
        (tmp_path / "a.png").write_bytes(png(4, 3, (b"eXIf", content)))
        assert images.load_image(tmp_path / "a.png").shape == (1, 3, 3, 4)


def test_compressed_text_and_profiles_do_not_fill_memory(tmp_path):
    bomb = zlib.compress(bytes(10**7), 9)
    texts = [(b"zTXt", b"a%d\0\0" % k + bomb) for k in range(20)]
    for chunks in (texts, [(b"iCCP", b"a\0\0" + bomb)]):
        (tmp_path / "a.png").write_bytes(png(4, 3, *chunks))
        try:
            assert images.load_image(tmp_path / "a.png").shape == (1, 3, 3, 4)
        except UserError as error:
            assert "a.png" in str(error)


@pytest.mark.filterwarnings("ignore::UserWarning")  # Pillow's own, of tags and truncated data
@pytest.mark.parametrize("kind", images.FORMATS)
def test_whatever_a_decoder_raises_names_the_file(tmp_path, kind):
    if kind == "AVIF" and not (features.version("avif") if "avif" in features.modules else None):
        pytest.skip("this Pillow has no AVIF")
    rng = np.random.default_rng(0)
    stream = io.BytesIO()
    Image.fromarray(rng.integers(0, 256, (24, 24, 3), dtype=np.uint8)).save(stream, kind)
    for _ in range(60):
        content = bytearray(stream.getvalue())
        for place in rng.integers(0, len(content), 4):
            content[place] = rng.integers(0, 256)
        (tmp_path / "a.png").write_bytes(content[: rng.integers(8, len(content) + 1)])
        for read in (images.load_image, images.size_of):
            try:
                read(tmp_path / "a.png")
            except UserError as error:
                assert "a.png" in str(error) and len(str(error).removeprefix(str(tmp_path))) < 400


def test_names_that_no_file_can_have(tmp_path):
    for name in ("a" * 5000, "a\0b.png", "\ud800.png"):
        with pytest.raises(UserError):
            images.load_image(tmp_path / name)


@pytest.mark.skipif(os.name != "posix", reason="pipes and devices have names here alone")
def test_pipes_and_devices_are_refused(tmp_path):
    os.mkfifo(tmp_path / "pipe.png")
    for path in (tmp_path / "pipe.png", "/dev/zero"):
        with pytest.raises(UserError, match="is a named pipe|is a device"):
            images.size_of(path)


def test_of_several_images_the_first_is_read(tmp_path):
    first, others = Image.new("L", (2, 2), 255), [Image.new("L", (2, 2), k % 255) for k in range(500)]
    for suffix in ("gif", "tif", "png"):
        first.save(tmp_path / f"a.{suffix}", save_all=True, append_images=others)
        assert images.load_image(tmp_path / f"a.{suffix}").min() == 1


def test_save_writes_what_load_reads_and_refuses_other_suffixes(tmp_path):
    picture = torch.rand(3, 5, 7, generator=torch.Generator().manual_seed(0)) * 2 - 1
    images.save_image(picture, tmp_path / "new folder" / "a.png")
    again = images.load_image(tmp_path / "new folder" / "a.png")
    assert torch.equal(images.to_bytes(again[0]), images.to_bytes(picture))
    for name in ("a.npz", "a"):
        with pytest.raises(UserError, match="not an image format"):
            images.save_image(picture, tmp_path / name)
    assert [path.name for path in tmp_path.iterdir()] == ["new folder"]


def test_grid_fills_rows_and_leaves_white():
    pictures = torch.stack([torch.full((3, 2, 3), value) for value in (-1.0, 0.0, 0.5)])
    sheet = images.grid(pictures, 2)
    assert sheet.shape == (1, 3, 4, 6)
    assert sheet[0, 0, ::2, ::3].tolist() == [[-1.0, 0.0], [0.5, 1.0]]
    with pytest.raises(ValueError, match="a grid needs"):
        images.grid(pictures, 0)


def test_resize_keeps_the_range_and_masks_their_edges():
    pictures = torch.rand(1, 3, 9, 6, generator=torch.Generator().manual_seed(0)).round() * 2 - 1
    resized = images.resize(pictures, 20, 31)
    assert resized.shape == (1, 3, 20, 31) and resized.abs().max() <= 1
    assert images.resize(pictures, 9, 6) is pictures
    assert set(images.resize_masks(pictures, 20, 31).unique().tolist()) == {-1.0, 1.0}
    assert images.resize_masks(pictures[:, :0], 20, 31).shape == (1, 0, 20, 31)


def test_reduce_averages_and_never_enlarges():
    pictures = torch.tensor([[-1.0, 1.0], [0.0, 0.5]]).repeat(2, 4).expand(1, 3, 4, 8)
    assert images.reduce(pictures, 4).shape == (1, 3, 2, 4)
    assert torch.allclose(images.reduce(pictures, 4), torch.tensor(0.125))
    assert images.reduce(pictures, 8) is pictures


# --- one convention of shapes -------------------------------------------------------------------------------


def test_one_image_is_a_batch_of_one():
    batch = torch.zeros(2, 3, 4, 5)
    assert images.as_batch(batch) is batch
    assert torch.equal(images.as_batch(batch[0]), batch[:1])
    assert images.as_batch(torch.zeros(1, 4, 5), channels=(1, 3)).shape == (1, 1, 4, 5)


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (np.zeros((4, 5, 3), dtype=np.uint8), "a photo must be a tensor .*, not ndarray; latentlab.images.from_pil"),
        (Image.new("RGB", (5, 4)), "not Image; latentlab.images.from_pil converts a PIL image"),
        (
            torch.zeros(4, 5, 3, dtype=torch.uint8),
            r"not torch.uint8; bytes x become images as x.permute\(2, 0, 1\) / 127.5",
        ),
        (torch.zeros(4, 5, 3), r"\(4, 5, 3\); move the channels to the front with .movedim\(-1, -3\)"),
        (torch.zeros(2, 4, 5, 3), r"\(2, 4, 5, 3\); move the channels to the front"),
        (torch.zeros(4, 5), r"must be \(batch, 3, height, width\) or \(3, height, width\), not \(4, 5\)"),
        (torch.zeros(0, 3, 4, 5), "not"),
        (torch.zeros(1, 1, 4, 5), "not"),
    ],
)
def test_anything_else_is_refused_with_the_way_to_convert_it(wrong, words):
    with pytest.raises(UserError, match=words):
        images.as_batch(wrong, "a photo")


def test_the_advice_gives_an_image():
    bytes_ = torch.randint(0, 256, (4, 5, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    assert torch.equal(
        images.as_batch(bytes_.permute(2, 0, 1) / 127.5 - 1), images.from_pil(Image.fromarray(bytes_.numpy()))
    )


class Finder:
    """Finds one face in every photo."""

    name = "finder"

    def __call__(self, photo):
        assert photo.shape[:2] == (1, 3)
        corners = np.array([[20.0, 20], [40, 20], [24, 22], [36, 22], [30, 40]])
        return [FaceFound((10.0, 10.0, 50.0, 50.0), corners, 1.0)]


def test_what_takes_images_takes_one_as_a_batch_of_one():
    photo = torch.rand(1, 3, 60, 64, generator=torch.Generator().manual_seed(0)) * 2 - 1
    (face,) = align(photo, Finder(), 32)
    (again,) = align(photo[0], Finder(), 32)
    assert torch.equal(face.image, again.image) and face.image.shape == (1, 3, 32, 32)
    pasted = paste_back(-face.image, face.geometry, photo, original=face.image)
    assert torch.equal(paste_back(-face.image[0], face.geometry, photo[0], original=face.image[0]), pasted)
    scorer = FunctionScorer(("bright",), lambda pictures: pictures.mean(dim=(1, 2, 3)))
    assert torch.equal(scorer(photo[0]), scorer(photo)) and scorer(photo).shape == (1, 1)
    assert len(MaskedImages.of(face.image[0])) == 1
    with pytest.raises(UserError, match="one photo at a time, not a batch of 2"):
        align(photo.expand(2, -1, -1, -1), Finder(), 32)
    for call in (align, lambda wrong, finder: paste_back(face.image, face.geometry, wrong)):
        with pytest.raises(UserError, match="a photo must be a tensor .*, not ndarray; .*from_pil"):
            call(np.zeros((60, 64, 3), dtype=np.uint8), Finder())
