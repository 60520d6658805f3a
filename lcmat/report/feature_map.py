"""Where each step of the ledger chooses: its images on the map of a class that `lcmat measure feature-map` stores."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import numpy as np
from matplotlib.axes import Axes

from lcmat.records.record import Record
from lcmat.report import figures
from lcmat.report.ledger import step_words
from lcmat.report.runs import ACCURACY, as_rows, runs_frame
from lcmat.report.schemes import SELECTION

MISCLASSIFIED = "#E69F00"


class Picks(NamedTuple):
    """What one way to choose took from the class.

    Attributes:
        words: the way, as the ledger names it.
        title: the paper's name of the method.
        places: ``(k, 2)`` of the images of the class that it chose.
        wrong: how many of these the network misclassifies.
        accuracy: of the network trained on the whole coreset, in percent.
    """

    words: str
    title: str
    places: np.ndarray
    wrong: int
    accuracy: float


def picks_by_step(content: Mapping[str, Any], records: Iterable[Record]) -> list[Picks]:
    """The picks of each record that the map names, in the order of the ledger, other methods last.

    Args:
        content: the stored measurement.
        records: among which those of its keys are; a key without a record is left out.
    """
    by_key = {record.key: record for record in records if record.key in set(content["keys"])}
    words = step_words()
    points = {row["row"]: row for row in content["rows"]}
    labelled = {SELECTION.label(run): run for run in as_rows(runs_frame(by_key.values(), stale=set()))}
    order = [label for label in words if label in labelled] + [label for label in labelled if label not in words]
    return [_picks(words.get(label, label), labelled[label], by_key, points) for label in order]


def draw_map(ax: Axes, content: Mapping[str, Any]) -> Axes:
    """Draw all images of the class, those that the network misclassifies in another colour."""
    for wrong, color in enumerate(("#BBBBBB", MISCLASSIFIED)):
        places = np.array([(row["x"], row["y"]) for row in content["rows"] if row["wrong"] == wrong]).reshape(-1, 2)
        ax.scatter(places[:, 0], places[:, 1], s=3, color=color, linewidths=0, rasterized=True)
    return ax


def map_limits(content: Mapping[str, Any]) -> dict[str, tuple[float, float]]:
    """First and last value of each axis, as `lcmat.book.slider.layer` takes them.

    >>> map_limits({"rows": [{"x": 0.0, "y": 2.0}, {"x": 1.0, "y": 1.0}]})
    {'xlim': (0.0, 1.0), 'ylim': (1.0, 2.0)}
    """
    values = {axis: [row[axis] for row in content["rows"]] for axis in ("x", "y")}
    return {f"{axis}lim": (min(found), max(found)) for axis, found in values.items()}


def draw_picks(ax: Axes, picks: Picks) -> Axes:
    """Draw the chosen images of the class."""
    look = figures.method_style(picks.title)
    across, up = picks.places.T
    ax.scatter(across, up, s=18, color=look.color, marker=look.marker, edgecolor=figures.BLACK, linewidth=0.4)
    return ax


def _picks(words: str, run: Mapping[str, Any], by_key: Mapping[str, Record], points: Mapping[int, Any]) -> Picks:
    chosen = [points[row] for row in by_key[run["key"]].indices or () if row in points]
    places = np.array([(point["x"], point["y"]) for point in chosen]).reshape(-1, 2)
    title = SELECTION.label(run).partition(",")[0]
    return Picks(words, title, places, sum(point["wrong"] for point in chosen), run[ACCURACY])
