"""Several scorers as one, and logits of any scorer."""

import numpy as np
import pytest
import torch
from scipy.special import logit

from latentlab.errors import UserError
from latentlab.scorers import FunctionScorer, ScorerSet, load_attributes, load_scorer, logits_of


def images(n: int = 3, size: int = 64) -> torch.Tensor:
    return torch.rand(n, 3, size, size, generator=torch.Generator().manual_seed(0)) * 2 - 1


def channels(pictures: torch.Tensor) -> torch.Tensor:
    """Probabilities from the mean of each channel: (b, 3)."""
    return torch.sigmoid(4 * pictures.mean((2, 3)))


def colours() -> FunctionScorer:
    return FunctionScorer(("red", "green", "blue"), channels)


def test_several_scorers_score_one_rendering_under_qualified_names():
    attributes = load_attributes().of("young", "male")
    both = ScorerSet({"colours": colours(), "faces": attributes})
    assert both.names == ("colours:red", "colours:green", "colours:blue", "faces:young", "faces:male")
    wanted = torch.cat([channels(images()), attributes(images())], dim=1)
    torch.testing.assert_close(both(images()), wanted)
    for k, name in enumerate(both.names):
        found = logits_of(both, images(), name)
        torch.testing.assert_close(found, both.logits(images())[:, k])
        np.testing.assert_allclose(found, logit(wanted[:, k].double().numpy()), atol=1e-4)
    assert both.member("faces:male") == (attributes, "male")
    with pytest.raises(UserError, match="no score is called 'red'; there are colours:red, "):
        both.member("red")


def test_a_set_keeps_names_when_some_are_chosen():
    both = ScorerSet({"colours": colours(), "faces": load_attributes()})
    some = both.of("faces:young", "faces:male")
    assert some.names == ("faces:young", "faces:male")
    torch.testing.assert_close(some(images())[:, 0], logits_of(both, images(), "faces:young").sigmoid())
    # Scores of one scorer may belong together, as probabilities that add up to 1.
    assert both.of("colours:blue").names == ("colours:red", "colours:green", "colours:blue")


def test_sets_differ_by_their_scorers_and_take_images_of_one_kind():
    a, b = (FunctionScorer(("x",), channels, fingerprint=name) for name in "ab")
    grey = FunctionScorer(("x",), channels)
    a.img_channels, grey.img_channels = 3, 1
    assert ScorerSet({"a": a, "b": b}).fingerprint != ScorerSet({"a": b, "b": a}).fingerprint
    assert (ScorerSet({"a": a, "b": b}).img_channels, ScorerSet({"b": b}).img_channels) == (3, None)
    with pytest.raises(UserError, match="one number of channels, but a takes images of 3, g takes images of 1"):
        ScorerSet({"a": a, "g": grey})
    with pytest.raises(UserError, match="one at least"):
        ScorerSet({})


def test_thresholds_of_the_scorers_are_those_of_their_scores():
    size = FunctionScorer(("width", "height"), channels, threshold={"height": "q0.3,q0.7"})
    both = ScorerSet({"colours": colours(), "size": size, "faces": load_attributes().of("young", "male")})
    assert str(both.threshold) == "size:height=q0.3,q0.7,faces:young=0.5,faces:male=0.5"
    assert ScorerSet({"colours": colours(), "more": colours()}).threshold is None


def test_of_very_many_scores_the_nearest_is_proposed():
    scorer = ScorerSet({"colours": colours(), "faces": load_attributes()})
    with pytest.raises(UserError, match=r"no score is called 'young'; did you mean faces:young\?$"):
        scorer.member("young")
    with pytest.raises(UserError, match="no score is called 'colours:gren'; did you mean colours:green or"):
        scorer.member("colours:gren")


def test_several_attributes_are_loaded_as_one_classifier():
    whole = load_scorer("attributes")
    assert len(whole.names) == 40
    assert load_scorer("attributes:young, attributes:male").names == ("young", "male")
    with pytest.raises(UserError, match="no scorer is called 'fir'; did you mean fer"):
        load_scorer("attributes,fir")


def test_logits_of_probabilities_are_clipped_and_other_scores_stay():
    values = torch.tensor([0.0, 0.2, 1.0])
    found = logits_of(FunctionScorer(("p",), lambda _: values), images(), "p")
    np.testing.assert_allclose(found, [logit(1e-6), logit(0.2), logit(1 - 1e-6)], rtol=1e-2)
    light = FunctionScorer(("light",), lambda _: 100 * values)
    torch.testing.assert_close(logits_of(light, images(), "light"), 100 * values)
    # An angle may lie in [0, 1] in one batch and not in another: whoever gives it says what it is.
    angle = FunctionScorer(("angle",), lambda _: values, probabilities=False)
    torch.testing.assert_close(logits_of(angle, images(), "angle"), values)
    missing = FunctionScorer(("p",), lambda _: torch.tensor([0.5, torch.nan, 1.0]))
    assert logits_of(missing, images(), "p").isnan().tolist() == [False, True, False]
    with pytest.raises(UserError, match="no score is called 'q'; there are p"):
        logits_of(missing, images(), "q")


def test_logits_are_differentiable():
    pictures = images().requires_grad_()
    (gradient,) = torch.autograd.grad(logits_of(colours(), pictures, "green").sum(), pictures)
    torch.testing.assert_close(gradient[:, 1], torch.full((3, 64, 64), 4 / 64**2))
    assert not gradient[:, [0, 2]].any()


@pytest.mark.weights
def test_logits_of_expressions_do_not_saturate():
    fer, pictures = load_scorer("fer"), images()
    found = fer.logits(pictures)
    np.testing.assert_allclose(found, logit(fer(pictures).double().numpy()), atol=1e-3)

    class Sure(type(fer)):
        def __call__(self, images):
            return torch.tensor([[1e-9, 2e-9, 0, 1.0, 0, 0, 0]])

    sure = Sure(fer.network)
    assert sure.logits(pictures)[0, 3] == pytest.approx(-np.log(3e-9), rel=1e-5)
    assert sure.logits(pictures)[0, 0] == pytest.approx(np.log(1e-9), rel=1e-5)
    pictures.requires_grad_()
    assert torch.autograd.grad(logits_of(fer, pictures, "happy").sum(), pictures)[0].any()
