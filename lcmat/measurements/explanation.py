"""What explains a result: both terms of the bound for the coreset of a record, and what its images are to the network.

Everything follows from the indices in the record and the selecting network, so it is measured after the runs and
changes none: `lcmat measure explanation cifar10` stores a row for each current record of selection.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from lcmat import bound
from lcmat.config import SelectionParameters, parse
from lcmat.curvature.last_layer import LastLayer
from lcmat.experiments import stale_keys
from lcmat.experiments.embedding import SelectorView, selector_view
from lcmat.experiments.selecting import selector_recipe
from lcmat.experiments.selection import load_data
from lcmat.records import record as records
from lcmat.records.measurements import Row
from lcmat.records.record import Record


def explain(sample: LastLayer, indices: Tensor, weights: Tensor | None = None) -> Row:
    """The terms of the bound for a coreset, and how the network judges its images.

    Args:
        sample: the last layer's view of the n training images, float64.
        indices: of the m chosen ones.
        weights: of these, (m,), of any sum; None: all equal, as the paper trains.

    Returns:
        `gradient_gap`, ``|grad L(T) - grad L(S)|_2``, and `spectral_norm`, ``|H_{T,S}|_2``, of the mean losses in the
        last layer (paper Eq. 6, Figure 2); the shares of images that the network misclassifies, in percent, of the
        chosen ones and of all; the largest and the smallest class's share of the coreset, in percent.

    >>> logits = torch.tensor([[0.0, 9.0], [9.0, 0.0]], dtype=torch.float64)
    >>> row = explain(LastLayer(logits[:, :1], logits, torch.tensor([0, 0])), torch.tensor([0]))
    >>> row["misclassified_percent"], row["misclassified_of_all_percent"], row["smallest_class_percent"]
    (100.0, 50.0, 0.0)
    """
    shares = None if weights is None else weights.double() / weights.double().sum()
    difference = bound.subset_difference(*sample, indices, shares)
    wrong = (sample.logits.argmax(dim=1) != sample.labels).double()
    counts = torch.bincount(sample.labels[indices], minlength=sample.logits.shape[1])
    return {
        "gradient_gap": float(bound.gradient_gap(difference).norm()),
        "spectral_norm": bound.hessian_extremes(difference).spectral_norm,
        "misclassified_percent": 100 * float(wrong[indices].mean()),
        "misclassified_of_all_percent": 100 * float(wrong.mean()),
        "largest_class_percent": 100 * float(counts.max() / len(indices)),
        "smallest_class_percent": 100 * float(counts.min() / len(indices)),
    }


def explain_record(record: Record, device: str = "cpu") -> Row | None:
    """`explain` for a record, by its selecting network in evaluation mode, whichever mode it was selected in.

    None if that network is not there and another one came of training it again, see `chosen_by`.
    """
    parameters = parse(record.experiment, record.parameters)
    assert isinstance(parameters, SelectionParameters) and record.indices is not None
    splits = load_data(parameters)
    view = selector_view(parameters.model_copy(update={"batch_norm": None}), splits, device)
    if not chosen_by(record, view):
        return None
    sample = LastLayer(view.features.double(), view.logits.double(), splits.train.labels)
    return {"key": record.key, **explain(sample, torch.tensor(record.indices))}


def chosen_by(record: Record, view: SelectorView) -> bool:
    """Whether the view is that of the network which chose the images; uniform draws are of none, and fit each.

    A network that is trained again on another kind of processor differs by rounding, which the training enlarges: it is
    told by its test accuracy.
    """
    accuracy = view.test_accuracy_percent
    return record.metrics.get("selector_test_accuracy_percent", accuracy) == accuracy


def explained(found: Sequence[Record]) -> list[Record]:
    """Those whose selecting network a method has looked at; to train one only for uniform draws would take hours."""
    looked = {selecting(record) for record in found if "selector_test_accuracy_percent" in record.metrics}
    return [record for record in found if record.indices and selecting(record) in looked]


def selecting(record: Record) -> tuple[Any, ...]:
    """What makes its selecting network: two records with equal ones share it."""
    parameters = parse(record.experiment, record.parameters)
    assert isinstance(parameters, SelectionParameters)
    images = parameters.label_noise, parameters.imbalance
    return parameters.network, parameters.width, parameters.seed, selector_recipe(parameters), images


def measure_dataset(dataset: str) -> tuple[Row, list[Row]]:
    """Measure the current records of one data set."""
    found = [r for r in records.load_all(experiment="selection")[0] if r.parameters["dataset"] == dataset]
    stale = stale_keys(found)
    rows = [explain_record(record) for record in explained([r for r in found if r.key not in stale])]
    known = [row for row in rows if row is not None]
    return {"dataset": dataset, "chosen_by_other_networks": len(rows) - len(known)}, known
