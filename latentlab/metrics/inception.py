"""FID and KID: distances on the features that published values use, those of Inception, by torch-fidelity."""

from __future__ import annotations

from importlib.util import find_spec

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from latentlab.errors import UserError, missing_package
from latentlab.images import to_bytes
from latentlab.metrics.features import FeatureExtractor
from latentlab.metrics.frechet_distance import FrechetDistance
from latentlab.metrics.kernel_distance import KernelDistance

_BATCH = 32


class InceptionFeatures:
    """The 2048 features of Inception v3 that FID and KID are defined on, `(n, 2048)`, by torch-fidelity.

    The network is TensorFlow's of 2015 (`inception-v3-compat`), which resizes images as TensorFlow 1 did: the features
    are those of the published scripts to float tolerance. Its weights are fetched on first use.

    Parameters
    ----------
    device
        Device that the network runs on.

    Raises
    ------
    UserError
        If torch-fidelity is not installed, or the weights cannot be fetched.
    """

    title = "Inception"

    def __init__(self, device: torch.device | str = "cpu") -> None:
        if find_spec("torch_fidelity") is None:
            raise missing_package("FID and KID take the features of torch-fidelity", "torch-fidelity")
        from torch_fidelity import feature_extractor_inceptionv3 as fidelity

        _fetch(fidelity.URL_INCEPTION_V3)
        self.network = fidelity.FeatureExtractorInceptionV3("inception-v3-compat", ["2048"]).to(device)
        self.device = torch.device(device)

    @torch.no_grad()
    def __call__(self, images: Tensor) -> NDArray[np.float64]:
        """Return features `(n, 2048)` of `images (n, 3, h, w)` in [-1, 1]; grey ones become colour."""
        batches = torch.split(to_bytes(images.expand(-1, 3, -1, -1)), _BATCH)
        return np.concatenate([self.network(batch.to(self.device))[0].double().cpu().numpy() for batch in batches])


def _fetch(url: str) -> None:
    """Fetch the weights into torch's cache, checked against the hash in their name, where they are not there yet."""
    try:
        torch.hub.load_state_dict_from_url(url, progress=False, check_hash=True, weights_only=True)
    except (OSError, RuntimeError) as error:  # no network; or the file is not what its name says
        raise UserError(
            f"FID and KID are unknown without Inception's weights, which cannot be fetched ({error}): put {url} into "
            f"{torch.hub.get_dir()}/checkpoints"
        ) from error


class FID(FrechetDistance):
    """Fréchet Inception distance (Heusel et al. 2017); see `functional.frechet_distance`.

    Published values are for 50 000 images; fewer images give larger values.

    Parameters
    ----------
    features
        Feature extractor; None for `InceptionFeatures`.
    resamples
        How often rows are drawn for the interval.
    """

    def __init__(self, features: FeatureExtractor | None = None, resamples: int = 200) -> None:
        super().__init__(InceptionFeatures() if features is None else features, resamples)
        self.title = "FID"


class KID(KernelDistance):
    """Kernel Inception distance × 1000 (Bińkowski et al. 2018); see `functional.kernel_distance`.

    Published values average subsets of 1000 images; the estimate is unbiased, so its expectation is the same.

    Parameters
    ----------
    features
        Feature extractor; None for `InceptionFeatures`.
    resamples
        How often rows are drawn for the interval.
    """

    def __init__(self, features: FeatureExtractor | None = None, resamples: int = 200) -> None:
        super().__init__(InceptionFeatures() if features is None else features, resamples=resamples)
        self.title = "KID × 1000"
