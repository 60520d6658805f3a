"""The adapter for scikit-learn, against its own estimator checks and the greedy choice on a hand-made last layer."""

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.datasets import load_iris
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.utils.estimator_checks import parametrize_with_checks

from lcmat.selection.sampler import CoresetSampler
from tests.test_selection import naive_choice

X, y = load_iris(return_X_y=True)


@parametrize_with_checks([CoresetSampler(fraction=0.5)])
def test_scikit_learns_checks_that_apply(estimator, check):
    check(estimator)


def test_the_choice_is_the_naive_greedys_on_logistic_regression_as_a_last_layer():
    sampler = CoresetSampler(fraction=0.1, options={"rho": 0.5, "top_k": 5}).fit(X, y)
    model = LogisticRegression(max_iter=1000).fit(X, y)
    logits = X @ model.coef_.T + model.intercept_
    sample = tuple(map(torch.from_numpy, (X, logits, y)))
    assert sampler.sample_indices_.tolist() == naive_choice(sample, fraction=0.1, rho=0.5, top_k=5)
    assert sampler.sample_weights_.sum() == len(X)


def test_rows_are_returned_in_the_kind_that_was_given():
    frame, names = pd.DataFrame(X, columns=list("abcd")), pd.Series(np.array(["x", "y", "z"])[y], index=range(150))
    sampler = CoresetSampler(size=7)
    rows, labels = sampler.fit_resample(frame, names)
    assert rows.equals(frame.iloc[sampler.sample_indices_]) and labels.equals(names.iloc[sampler.sample_indices_])
    assert sampler.classes_.tolist() == ["x", "y", "z"] and sampler.feature_names_in_.tolist() == list("abcd")
    plain, numbers = CoresetSampler(size=7).fit_resample(X, y)
    assert np.array_equal(plain, rows) and np.array_equal(np.array(["x", "y", "z"])[numbers], labels)


def test_any_classifier_with_probabilities_will_do():
    forest = RandomForestClassifier(5, random_state=0)
    sampler = CoresetSampler(size=9, estimator=forest).fit(X, y)
    assert (sampler.estimator_.predict_proba(X) == 0).any(), "a forest gives zeros, whose logarithm is not finite"
    assert np.bincount(y[sampler.sample_indices_]).tolist() == [3, 3, 3]
    assert not hasattr(forest, "classes_"), "the one given is not trained"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"method": "herdin"}, "herding"),
        ({"options": {"rho": "much"}}, "rho"),
        ({"method": "forgetting"}, "forgetting_counts|needs"),
        ({"fraction": 2.0}, "fraction"),
    ],
)
def test_what_cannot_be_done_is_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        CoresetSampler(**arguments).fit(X, y)
