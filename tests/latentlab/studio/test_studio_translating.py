"""Translators in the studio: drawings, photos, and files that are refused."""

import os

import pytest
import torch
from PIL import Image, ImageDraw

from latentlab.errors import UserError
from latentlab.images import from_pil
from latentlab.pipelines import Components
from latentlab.studio.translating import translate, translate_drawing, translator_names, translator_of
from latentlab.studio.visitors import MOST_TRANSLATOR_BYTES
from latentlab.translation import Translator
from latentlab.translation.networks import InstaGeneratorConfig, UNetConfig
from latentlab.translation.published import save
from tests.latentlab.studio.painting import make_painter


@pytest.fixture(scope="module")
def components():
    return Components.load(device="cpu")


@pytest.fixture(scope="module")
def painter():
    return make_painter()


@pytest.fixture
def drawing():
    """A stroke as the sketchpad gives it, on paper that is white or, where nothing was painted, clear."""

    def drawn(paper="white", size=(96, 64)):
        image = Image.new("RGBA", size, paper)
        ImageDraw.Draw(image).line([(20, 10), (60, 50)], fill="black", width=4)
        return image

    return drawn


def refusal(act, *arguments):
    with pytest.raises(UserError) as caught:
        act(*arguments)
    assert len(str(caught.value).splitlines()) == 1
    return str(caught.value)


def test_a_file_of_drawings_paints_a_picture_of_the_drawings_size(painter, drawing, components, tmp_path):
    painter.save(tmp_path / "translator.safetensors")
    loaded = translator_of(tmp_path / "translator.safetensors", components)
    made = translate_drawing(drawing(), loaded, 1.0, components)
    assert made.shape == (1, 3, 64, 96)
    assert made.min() >= -1
    assert made.max() <= 1
    assert not torch.equal(made, translate(Image.new("RGB", (96, 64), "white"), loaded, 1.0, components))
    assert torch.equal(made, translate_drawing(drawing((0, 0, 0, 0)), loaded, 1.0, components))


def test_published_files_paint_too(painter, drawing, components, tmp_path):
    save(painter.networks["a2b"], tmp_path / "latest_net_G.pth")
    made = translate_drawing(
        drawing(size=(32, 32)), translator_of(tmp_path / "latest_net_G.pth", components), 1.0, components
    )
    assert torch.equal(made, painter(from_pil(drawing(size=(32, 32))))[0])


@pytest.mark.parametrize("empty", [None, Image.new("RGBA", (8, 8), "white"), Image.new("RGBA", (8, 8))])
def test_an_empty_sheet_is_refused(empty, painter, components):
    assert refusal(translate_drawing, empty, painter, 1.0, components) == "draw something first"


def test_editors_of_faces_say_what_takes_drawings(drawing, components):
    message = refusal(translate_drawing, drawing(), translator_of("smile", components), 1.0, components)
    assert "takes no drawing: choose drawing" in message
    assert "latentlab translate train pix2pix drawings" in message


def test_translators_that_need_masks_are_refused(drawing, components):
    translator = Translator({"a2b": InstaGeneratorConfig(1, 4).build().eval()}, {"method": "instagan"})
    assert "needs masks" in refusal(translate_drawing, drawing(), translator, 1.0, components)
    assert "needs masks" in refusal(translate, drawing(), translator, 1.0, components)


@pytest.mark.parametrize("name", ["other.safetensors", "other.pth"])
@pytest.mark.parametrize("content", [b"", b"no translator", b"\x80\x02}q\x00."])
def test_what_is_no_translator_is_refused_by_its_name(name, content, components, tmp_path):
    (tmp_path / name).write_bytes(content)
    message = refusal(translator_of, tmp_path / name, components)
    assert name in message
    assert str(tmp_path) not in message


def test_translators_may_be_as_large_as_the_default_but_not_of_any_size(components, tmp_path):
    largest = UNetConfig.for_resolution(1024, 64)
    with torch.device("meta"):
        size = sum(4 * value.numel() for value in largest.build().state_dict().values())
    assert 218e6 < size < MOST_TRANSLATOR_BYTES
    large = tmp_path / "large.safetensors"
    large.touch()
    os.truncate(large, MOST_TRANSLATOR_BYTES + 10_000_000)
    message = refusal(translator_of, large, components)
    assert message == "large.safetensors has 360 MB; 350 MB are the most"


def test_names_are_those_of_translators():
    assert translator_names()[:2] == ["drawing", "smile"]
    assert "vintagify" in translator_names()
