"""The SVM's direction in S: the truth's one channel, and what it spares."""

import numpy as np
import pytest

from latentlab.datasets import KnownFactors
from latentlab.directions import LinearSVM, StyleSpace, StyleSVM
from latentlab.directions.styles import styles_of_w
from latentlab.errors import UserError
from latentlab.rendering import Renderer
from tests.latentlab.directions.known import population

KNOWN = KnownFactors()
SCENE = {"renderer": Renderer(KNOWN, 32), "scorer": KNOWN.scorer(), "attribute": "mouth", "progress": False}


@pytest.fixture(scope="module")
def samples():
    w = population(KNOWN, 400)
    space = StyleSpace.measure(KNOWN, w)
    return w, space.standardise_w(KNOWN, w), space, KNOWN.values(w)[:, KNOWN.factors.index("mouth")] > 0


def test_the_one_channel_that_drives_the_factor_is_kept(samples):
    w, x, space, positive = samples
    fitted = StyleSVM(channels=1, faces=16, style_space=space, **SCENE).fit(x, positive)
    layer, index = KNOWN.channel("mouth")
    assert [space.names[k] for k in np.flatnonzero(fitted.direction_)] == [f"{layer}:{index}"]
    assert ((fitted.decision_function(x) > 0) == positive).mean() > 0.97


def test_moves_are_those_of_the_svm_in_w(samples):
    w, x, space, positive = samples
    fitted = StyleSVM(channels=1, C=1.0, faces=4, style_space=space, **SCENE).fit(x, positive)
    normal = LinearSVM(1.0).fit(w - w.mean(axis=0), positive).direction_
    before, after = (space.flatten(styles_of_w(KNOWN, point[None])) for point in (w[0], w[0] + normal))
    np.testing.assert_allclose(fitted.moves_ * space.scale, (after - before)[0], atol=1e-3)


def test_more_channels_than_raise_the_score_are_refused(samples):
    _, x, space, positive = samples
    with pytest.raises(UserError, match=r"channels are chosen from the \d+ that raise the score, not 5000"):
        StyleSVM(channels=5000, faces=4, style_space=space, **SCENE).fit(x, positive)
    with pytest.raises(UserError, match="give the style_space that standardised them"):
        StyleSVM(channels=1, faces=4, **SCENE).fit(x, positive)
