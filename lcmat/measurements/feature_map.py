"""Where the chosen images lie among the others of their class: a plane through what the selecting network sees.

`lcmat measure feature-map cifar10` stores a point for each training image of the first class, and the keys of the
records whose coresets the same network chose; a page draws them on it.
"""

from typing import Any

import torch
from torch import Tensor

from lcmat.config import SelectionParameters, parse
from lcmat.experiments import stale_keys
from lcmat.experiments.embedding import selector_view
from lcmat.experiments.selection import load_data
from lcmat.measurements.explanation import chosen_by, explained, selecting
from lcmat.records import record as records
from lcmat.records.measurements import Row

CLASS = 0


def principal_plane(features: Tensor) -> tuple[Tensor, float]:
    """Project points onto their first two principal components.

    Args:
        features: ``(n, d)``, two or more points and dimensions.

    Returns:
        ``(n, 2)``, float64, each column with its entry of largest size positive; and the share of the variance in it.

    >>> places, share = principal_plane(torch.tensor([[0.0, 0, 0], [2, 0, 0], [0, 1, 0], [2, 1, 0]]))
    >>> [[round(abs(x), 6) for x in place] for place in places.tolist()], round(share, 6)
    ([[1.0, 0.5], [1.0, 0.5], [1.0, 0.5], [1.0, 0.5]], 1.0)
    """
    centred = features.double() - features.double().mean(dim=0)
    left, sizes, _ = torch.linalg.svd(centred, full_matrices=False)
    places = left[:, :2] * sizes[:2]
    largest = places.gather(0, places.abs().argmax(dim=0, keepdim=True))
    return places * largest.sign(), float(sizes[:2].square().sum() / sizes.square().sum())


def measure_dataset(dataset: str) -> tuple[dict[str, Any], list[Row]]:
    """A row for each image of the class: its place in the training set and in the plane, and if it is misclassified."""
    found = [r for r in records.load_all(experiment="selection")[0] if r.parameters["dataset"] == dataset]
    stale = stale_keys(found)
    current = sorted(explained([r for r in found if r.key not in stale]), key=lambda record: record.seed)
    remedy = "lcmat sweep --profile cpu --study ledger"
    if not current:
        raise ValueError(f"no current record of {dataset} was selected with a network: {remedy}")
    parameters = parse("selection", current[0].parameters)
    assert isinstance(parameters, SelectionParameters)
    splits = load_data(parameters)
    train, view = splits.train, selector_view(parameters.model_copy(update={"batch_norm": None}), splits, "cpu")
    members = (train.labels == CLASS).nonzero().flatten()
    places, share = principal_plane(view.features[members])
    wrong = view.logits[members].argmax(dim=1) != CLASS
    same = [record for record in current if selecting(record) == selecting(current[0])]
    for record in same:
        if not chosen_by(record, view):
            raise ValueError(f"another network than is here chose {record.key} of {dataset}: delete it, {remedy}")
    about = {"dataset": dataset, "class": train.class_names[CLASS], "variance_share": share}
    about["keys"] = [record.key for record in same]
    rows = zip(members.tolist(), places.tolist(), wrong.tolist(), strict=True)
    return about, [{"row": row, "x": x, "y": y, "wrong": int(bad)} for row, (x, y), bad in rows]
