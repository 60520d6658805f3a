"""How well chosen images stand for the others of their class, and how sure a network is of all images.

Everything follows from the indices in the record and one network for all choices of a seed: of the recipe and seed of
the selecting network, trained where the measurement is made. Made on another kind of processor than the run, it is not
the very network that chose (rounding, which a training enlarges), but it is the same judge for all.
"""

import torch
from torch import Tensor

from lcmat.config import SelectionParameters, parse
from lcmat.config.arguments import checked
from lcmat.experiments import stale_keys
from lcmat.experiments.embedding import selector_view
from lcmat.experiments.selection import load_data
from lcmat.measurements.explanation import explained
from lcmat.records import record as records
from lcmat.records.measurements import Row
from lcmat.records.record import Record


@checked(features="n d", labels="int n", indices="int m")
def cover(features: Tensor, labels: Tensor, indices: Tensor) -> Row:
    """How far the images of each class are from those chosen of it.

    Args:
        features: of the n images, float64.
        labels: their classes.
        indices: of the m chosen ones, of which each class has some.

    Returns:
        `nearest_distance`, the mean distance of an image to the nearest chosen one of its class, and `mean_distance`,
        that of the mean of the chosen ones to the mean of the class, averaged over the classes; both in units of the
        mean distance of an image to the mean of its class.

    >>> cover(torch.tensor([[0.0], [2.0], [4.0], [6.0]]), torch.zeros(4, dtype=torch.int64), torch.tensor([0, 1]))
    {'nearest_distance': 0.75, 'mean_distance': 1.0}
    """
    nearest, means, spread = [], [], []
    for label in labels.unique():
        own, chosen = features[labels == label], features[indices[labels[indices] == label]]
        nearest.append(torch.cdist(own, chosen).min(dim=1).values)
        means.append((chosen.mean(dim=0) - own.mean(dim=0)).norm())
        spread.append((own - own.mean(dim=0)).norm(dim=1))
    unit = torch.cat(spread).mean()
    return {
        "nearest_distance": float(torch.cat(nearest).mean() / unit),
        "mean_distance": float(torch.stack(means).mean() / unit),
    }


def judge(logits: Tensor, labels: Tensor) -> Row:
    """How the network judged the images in the mode in which it looked at them.

    Args:
        logits: of the n images, ``(n, c)``.
        labels: their classes.

    Returns:
        `labelled_rightly_percent`, and `largest_probability_percent`: the mean of the largest probability of an image.

    >>> judge(torch.tensor([[0.0, 0.0], [0.0, 0.0]]), torch.tensor([0, 1]))
    {'labelled_rightly_percent': 50.0, 'largest_probability_percent': 50.0}
    """
    right = (logits.argmax(dim=1) == labels).double().mean()
    sure = logits.double().softmax(dim=1).amax(dim=1).mean()
    return {"labelled_rightly_percent": 100 * float(right), "largest_probability_percent": 100 * float(sure)}


def cover_record(record: Record, device: str = "cpu") -> Row:
    """`cover` for a record, by the network in evaluation mode, and `judge` in the mode in which it was selected."""
    parameters = parse(record.experiment, record.parameters)
    assert isinstance(parameters, SelectionParameters) and record.indices is not None
    splits = load_data(parameters)
    view = selector_view(parameters.model_copy(update={"batch_norm": None}), splits, device)
    looked, labels = selector_view(parameters, splits, device), splits.train.labels
    near = cover(view.features.double(), labels, torch.tensor(record.indices))
    return {"key": record.key, **near, **judge(looked.logits, labels)}


def measure_dataset(dataset: str, *, width: int = 16, fraction: float = 0.01) -> tuple[Row, list[Row]]:
    """Measure the current records of one data set.

    Args:
        dataset: its name.
        width: of the selecting networks; those of other widths are left out, because they may have to be trained again.
        fraction: of the images chosen.
    """
    found: list[Record] = [
        record
        for record in records.load_all(experiment="selection")[0]
        if record.parameters["dataset"] == dataset
        and (record.parameters.get("width"), record.parameters["fraction"]) == (width, fraction)
    ]
    stale = stale_keys(found)
    rows = [cover_record(record) for record in explained([r for r in found if r.key not in stale])]
    return {"dataset": dataset, "width": width, "fraction": fraction}, rows
