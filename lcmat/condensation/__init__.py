"""Condensation: learn a few images per class on which a network can be trained in the place of a data set."""

from lcmat.condensation.evaluation import EvaluationRecipe, train_on_set
from lcmat.condensation.loop import CondensationResult, condense
from lcmat.condensation.recipe import CondensationRecipe, published
from lcmat.condensation.synthetic import SyntheticSet, initial_set, load_set, save_set
from lcmat.config.registry import OBJECTIVES, Objective

__all__ = [
    "OBJECTIVES",
    "CondensationRecipe",
    "CondensationResult",
    "EvaluationRecipe",
    "Objective",
    "SyntheticSet",
    "condense",
    "initial_set",
    "load_set",
    "published",
    "save_set",
    "train_on_set",
]
