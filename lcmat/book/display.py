"""What a benchmark's notebook shows of its run."""

import os
import re
from collections.abc import Iterable
from html import escape
from typing import TYPE_CHECKING, Any

from IPython.display import HTML

from lcmat.config import Experiment, expected
from lcmat.records.record import Record

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from lcmat.condensation import SyntheticSet
    from lcmat.data import ImageDataset
    from lcmat.selection import Coreset
    from lcmat.training import TrainingResult

IMAGES_PER_CLASS = 10


def figures_wanted() -> bool:
    """Whether to draw: not in a sweep (`LCMAT_FIGURES=0`), whose runs take less time than their figures would."""
    return os.environ.get("LCMAT_FIGURES", "1") != "0"


def parameter_table(parameters: Experiment) -> HTML:
    """The resolved parameters, what they mean and what they may be."""
    fields = type(parameters).model_fields
    rows = (
        (name, value, fields[name].description, expected(fields[name]))
        for name, value in parameters.canonical().items()
    )
    return _table(("parameter", "value", "meaning", "allowed"), rows)


def record_table(record: Record) -> HTML:
    """A record's result and provenance."""
    rows = {
        "status": record.status if record.error is None else f"{record.status}: {record.error}",
        **{name: f"{value:.6g}" for name, value in record.metrics.items()},
        **{f"seconds: {stage}": f"{value:.3g}" for stage, value in record.seconds.items()},
        "peak memory": f"{record.peak_memory_mb:.0f} MB",
        "device": f"{record.device}, {record.determinism.threads} thread(s)",
        "versions": ", ".join(f"{name} {version}" for name, version in record.versions.items()),
        "code": f"fingerprint {record.fingerprint}, commit {record.commit} {'(changed since)' if record.dirty else ''}",
        **{f"data: {split}": source.provenance for split, source in record.data.items()},
        **{f"artifact: {name}": digest for name, digest in record.artifacts.items()},
        "key": record.key,
    }
    return _table(("", record.experiment), rows.items())


def picks_figure(coreset: "Coreset", train: "ImageDataset") -> "Figure":
    """The first images chosen of each class, best first, one row per class."""
    import matplotlib.pyplot as plt
    import torch

    from lcmat.report.figures import image_grid

    classes = train.labels[coreset.indices]
    first = [coreset.indices[classes == label][:IMAGES_PER_CLASS] for label in range(min(10, train.num_classes))]
    columns = max(len(row) for row in first)
    blank = torch.full_like(train.images[:1], 255)
    rows = [torch.cat([train.images[row], blank.repeat(columns - len(row), 1, 1, 1)]) for row in first]
    images = torch.cat(rows).permute(0, 2, 3, 1).numpy()
    figure, ax = plt.subplots(figsize=(0.32 * columns + 0.6, 0.32 * len(rows)), facecolor="none", layout="constrained")
    image_grid(ax, images if images.shape[-1] == 3 else images[..., 0], columns=columns)
    return figure


def set_figure(synthetic: "SyntheticSet") -> "Figure":
    """The first images of each class of a condensed set, one row per class; values that no pixel can have are clipped.

    Args:
        synthetic: of any number of classes; the first ten are shown.
    """
    import matplotlib.pyplot as plt

    from lcmat.report.figures import image_grid

    columns, classes = min(IMAGES_PER_CLASS, synthetic.ipc), min(10, len(synthetic.class_names))
    shown = synthetic.pixels().unflatten(0, (-1, synthetic.ipc))[:classes, :columns].flatten(0, 1)
    images = shown.permute(0, 2, 3, 1).numpy()
    figure, ax = plt.subplots(figsize=(0.32 * columns + 0.6, 0.32 * classes), facecolor="none", layout="constrained")
    image_grid(ax, images if images.shape[-1] == 3 else images[..., 0], columns=columns)
    return figure


def training_figure(result: "TrainingResult") -> "Figure":
    """Training loss of each epoch, and the test accuracy where it was measured."""
    import matplotlib.pyplot as plt

    figure, (left, right) = plt.subplots(1, 2, figsize=(6.5, 2.2), layout="constrained")
    left.plot(range(1, len(result.losses) + 1), result.losses, color="black")
    left.set(xlabel="epoch", ylabel="training loss (nats)", yscale="log")
    right.plot(result.evaluated_epochs, result.accuracies_percent, color="black", marker=".")
    right.set(xlabel="epoch", ylabel="test accuracy (%)")
    return figure


def _table(header: Iterable[str], rows: Iterable[Iterable[Any]]) -> HTML:
    head = "".join(f"<th>{escape(str(cell))}</th>" for cell in header)
    body = "".join("<tr>" + "".join(f"<td>{_words(cell)}</td>" for cell in row) + "</tr>" for row in rows)
    return HTML(f'<table class="table"><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>')


def _words(cell: Any) -> str:
    """A cell's text, with what it names in backticks as code."""
    return re.sub("`([^`]+)`", r"<code>\1</code>", escape(str(cell)))
