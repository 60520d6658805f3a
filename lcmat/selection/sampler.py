"""Selection for users of scikit-learn: features and labels in, the chosen rows out."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.linear_model import LogisticRegression
from sklearn.utils import Tags, _safe_indexing
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import validate_data

from lcmat.selection.selector import select


class CoresetSampler(BaseEstimator):  # type: ignore[misc]  # scikit-learn has no type information
    """Chooses rows of a table of features, with the interface of imbalanced-learn's samplers.

    A classifier is trained on all rows.  Its probabilities stand for the output of a network's last layer, the features
    for its input; of logistic regression, the default, that is exactly what they are.

    Args:
        method: a name in `lcmat.METHODS`, of those that need no further evidence.
        fraction: choose this fraction of each class, unless `size` is given.
        size: choose this many in all, shared in proportion to the classes.
        estimator: a classifier with ``predict_proba``; None: logistic regression.  Scale the features for it first.
        seed: for methods that draw random numbers.
        options: the method's own, for instance ``{"rho": 0.1}``.

    Attributes:
        sample_indices_: rows chosen by the last `fit`, class by class, best first within a class.
        sample_weights_: for each of them, how many rows it stands for.
        estimator_: the classifier trained on all rows.
        classes_: the labels that were seen, ascending.

    >>> X, y = np.eye(6), np.array(["a", "a", "a", "b", "b", "b"])
    >>> X_selected, y_selected = CoresetSampler(size=2).fit_resample(X, y)
    >>> X_selected.shape, y_selected.tolist()
    ((2, 6), ['a', 'b'])
    """

    def __init__(
        self,
        method: str = "lcmat-s",
        *,
        fraction: float = 0.1,
        size: int | None = None,
        estimator: ClassifierMixin | None = None,
        seed: int = 0,
        options: Mapping[str, Any] | None = None,
    ) -> None:
        """Nothing is checked before `fit`, as scikit-learn wants it."""
        self.method = method
        self.fraction = fraction
        self.size = size
        self.estimator = estimator
        self.seed = seed
        self.options = options

    def fit(self, X: Any, y: Any) -> "CoresetSampler":
        """Choose rows.

        Args:
            X: finite numbers (n, d), an array or a data frame.
            y: class labels (n,), numbers or texts, of two classes or more.

        Returns:
            Itself, with the attributes above.

        Raises:
            ValueError: `X` or `y` is something else, or `lcmat.select` refuses the method, its options or the budget.
        """
        features, labels = validate_data(self, X, y, dtype=np.float64)
        check_classification_targets(labels)
        self.classes_, codes = np.unique(labels, return_inverse=True)
        classifier = LogisticRegression(max_iter=1000) if self.estimator is None else clone(self.estimator)
        self.estimator_ = classifier.fit(features, labels)
        coreset = select(
            self.method,
            torch.tensor(features),  # a copy: the array may be read-only
            torch.tensor(_logits(self.estimator_.predict_proba(features))),
            torch.tensor(codes),
            fraction=self.fraction if self.size is None else None,
            size=self.size,
            seed=self.seed,
            **(self.options or {}),
        )
        self.sample_indices_ = coreset.indices.numpy()
        self.sample_weights_ = coreset.weights.numpy()
        return self

    def fit_resample(self, X: Any, y: Any) -> tuple[Any, Any]:
        """Choose rows, see `fit`, and return them.

        Returns:
            The chosen rows of `X` and entries of `y`, each of the kind that was given.
        """
        chosen = self.fit(X, y).sample_indices_
        return _safe_indexing(X, chosen), _safe_indexing(y, chosen)

    def __sklearn_tags__(self) -> Tags:
        """Labels are needed."""
        tags: Tags = super().__sklearn_tags__()
        tags.target_tags.required = True
        return tags


def _logits(probabilities: np.ndarray) -> np.ndarray:
    """What softmax takes to these probabilities, also where a tree gives zero."""
    return np.log(np.clip(probabilities.astype(np.float64), np.finfo(np.float64).tiny, None))
