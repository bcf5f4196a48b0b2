"""Direction finders in the style of scikit-learn: parameters at construction, `fit(x, y)`, results that end in `_`."""

from latentlab.directions.finders.base import Classifier, Finder, LinearFinder, Target
from latentlab.directions.finders.checks import check_labels, check_rows, check_scores, check_training, score_logits
from latentlab.directions.finders.components import GANSpace
from latentlab.directions.finders.conditional import Conditional
from latentlab.directions.finders.discriminant import LDA
from latentlab.directions.finders.machines import InterFaceGAN, LinearSVM, Logistic
from latentlab.directions.finders.means import MeanDifference
from latentlab.directions.finders.regression import RidgeOnLogit

__all__ = [
    "LDA",
    "Classifier",
    "Conditional",
    "Finder",
    "GANSpace",
    "InterFaceGAN",
    "LinearFinder",
    "LinearSVM",
    "Logistic",
    "MeanDifference",
    "RidgeOnLogit",
    "Target",
    "check_labels",
    "check_rows",
    "check_scores",
    "check_training",
    "score_logits",
]
