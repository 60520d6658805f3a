"""One look for every figure of the book: a colour and a marker per method, honest error bars, SVG that never changes.

Functions take arrays and an ``ax`` and return the ``ax``. The ground is white; `book.css` turns it over on dark pages.
"""

from __future__ import annotations

import io
import zlib
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullFormatter

from lcmat.files.paths import atomic_write
from lcmat.report.statistics import Interval, mean_interval

WIDE_INCHES = 6.5
NARROW_INCHES = 3.2
MAX_FAINT_SEEDS = 10
PAPER_GREY = "#999999"

BLACK, ORANGE, SKY_BLUE, GREEN = "#000000", "#E69F00", "#56B4E9", "#009E73"
YELLOW, BLUE, VERMILLION, PURPLE = "#F0E442", "#0072B2", "#D55E00", "#CC79A7"
"""The palette of Okabe and Ito, which readers with any colour vision can tell apart."""

STYLE: Mapping[str, object] = {
    "figure.figsize": (WIDE_INCHES, 3.2),
    "figure.dpi": 100,
    **dict.fromkeys(("figure.facecolor", "savefig.facecolor"), "white"),
    "savefig.transparent": False,
    "figure.constrained_layout.use": True,
    **dict.fromkeys(("axes.spines.top", "axes.spines.right"), False),
    "axes.grid": True,
    "grid.color": "#E5E5E5",
    "grid.linewidth": 0.6,
    "axes.axisbelow": True,
    "axes.titlesize": 10,
    "axes.titlelocation": "left",
    "axes.labelsize": 9,
    **dict.fromkeys(("xtick.labelsize", "ytick.labelsize", "legend.fontsize"), 8),
    "legend.frameon": False,
    "font.family": "DejaVu Sans",
    "font.size": 9,
    "lines.linewidth": 1.5,
    "lines.markersize": 5,
    "svg.hashsalt": "lcmat",
    "svg.fonttype": "path",
}


@dataclass(frozen=True)
class MethodStyle:
    """How a method is drawn everywhere; no two of `METHOD_STYLES` share both."""

    color: str
    marker: str


_MARKERS = "os^v<>Pphd8XD*"
_NAMED: Mapping[str, Mapping[str, str]] = {
    VERMILLION: {"LCMat-S": "o", "LCMat-S (spectral norm)": "X", "LCMat-C": "*"},
    BLACK: {"Uniform": "s", "Random": "D", "Full": "X"},
    BLUE: {"AdaCore": "^", "Facility location": "h", "Graph cut": "X", "DM": "o"},
    GREEN: {"Craig": "v", "C-Div": "8", "Moderate": "P", "CAL": "D", "KIP": "s", "DC": "o"},
    SKY_BLUE: {
        "GradMatch": "<",
        "GradMatch-Val": ">",
        "DeepFool": "d",
        "Gradients alone": "o",
        "Mean control": "s",
        "Second-moment control": "X",
        "Pooled-variance control": "*",
    },
    ORANGE: {"Glister": "P", "Glister-Val": "p", "L-Conf": "<", "Entropy": ">", "Margin": "s", "IDC-I": "o"},
    PURPLE: {"k-Center": "h", "Herding": "d", "Forgetting": "v", "EL2N": "^", "GraNd": "P", "DSA": "o"},
}
METHOD_STYLES: Mapping[str, MethodStyle] = {
    title: MethodStyle(color, marker) for color, titles in _NAMED.items() for title, marker in titles.items()
}
"""The methods that have a look of their own, by the paper's spellings."""


def use_style() -> None:
    """Make a notebook draw in the book's style: SVG, opaque, the same bytes at every run."""
    from matplotlib_inline.backend_inline import set_matplotlib_formats

    mpl.rcParams.update(STYLE)  # type: ignore[arg-type]
    set_matplotlib_formats("svg", metadata={"Date": None})


def style() -> AbstractContextManager[None]:
    """Draw in the book's style within a `with` block, outside a notebook."""
    return mpl.rc_context(STYLE)  # type: ignore[arg-type]


def method_style(title: str) -> MethodStyle:
    """Look up a method's colour and marker; another method draws one, always the same, that none of these has.

    >>> method_style("LCMat-S").marker, method_style("Novel") in METHOD_STYLES.values()
    ('o', False)
    """
    if title in METHOD_STYLES:
        return METHOD_STYLES[title]
    looks = (MethodStyle(color, marker) for marker in _MARKERS for color in _NAMED)
    free = [look for look in looks if look not in METHOD_STYLES.values()]
    return free[zlib.crc32(title.encode()) % len(free)]


def plot_accuracy(
    ax: Axes,
    budgets: Sequence[float],
    samples: Sequence[Sequence[float]],
    *,
    method: str,
    label: str | None = None,
    linestyle: str = "-",
) -> Axes:
    """Draw a method's mean accuracy against the budget, with 95 % t intervals and faint single seeds if n <= 10.

    Args:
        ax: where to draw; its x axis becomes logarithmic.
        budgets: fractions or images per class, one per point.
        samples: for each budget the accuracies of its seeds, percent.
        method: the paper's name, which fixes colour and marker.
        label: legend entry; by default the method with its number of seeds.
        linestyle: as matplotlib's.
    """
    look = method_style(method)
    intervals = [mean_interval(sample) for sample in samples]
    ax.errorbar(
        budgets,
        [interval.mean for interval in intervals],
        yerr=[_finite_half_width(interval) for interval in intervals],
        color=look.color,
        marker=look.marker,
        linestyle=linestyle,
        capsize=3,
        label=label or f"{method} (n = {_count(intervals)})",
        zorder=3,
    )
    for budget, sample in zip(budgets, samples, strict=True):
        if len(sample) <= MAX_FAINT_SEEDS:
            ax.scatter([budget] * len(sample), sample, s=9, color=look.color, alpha=0.25, linewidths=0, zorder=2)
    ax.set_xscale("log")
    return ax


def label_fractions(ax: Axes, fractions: Sequence[float]) -> Axes:
    """Tick a logarithmic axis at the fractions used, in percent.

    >>> [tick.get_text() for tick in label_fractions(Figure().gca(), [0.01, 0.001]).get_xticklabels()]
    ['0.1 %', '1 %']
    """
    ax.set_xscale("log")
    ax.set_xticks(sorted(fractions))
    ax.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{100 * value:.3g} %"))
    ax.xaxis.set_minor_formatter(NullFormatter())
    return ax


def plot_intervals(
    ax: Axes, labels: Sequence[str], intervals: Sequence[Interval], *, method: str | Sequence[str]
) -> Axes:
    """Draw intervals one below another, first on top, with a line at zero; an infinite interval is its mean alone.

    Args:
        ax: where to draw.
        labels: of the rows.
        intervals: one for each row.
        method: the paper's name of the method of all rows, or of each.
    """
    methods = [method] * len(labels) if isinstance(method, str) else method
    rows = np.arange(len(labels))[::-1]
    ax.axvline(0, color=BLACK, linewidth=0.8, zorder=1)
    for row, interval, look in zip(rows, intervals, map(method_style, methods), strict=True):
        ax.errorbar(
            interval.mean,
            row,
            xerr=_finite_half_width(interval),
            color=look.color,
            marker=look.marker,
            markersize=5,
            linestyle="",
            capsize=3,
            zorder=3,
        )
    ax.set_yticks(rows, labels)
    ax.set_ylim(-0.6, len(labels) - 0.4)
    return ax


def image_grid(ax: Axes, images: np.ndarray, *, columns: int) -> Axes:
    """Draw images ``(n, height, width)`` or ``(n, height, width, 3)``, uint8, row by row with transparent gaps.

    >>> image_grid(Figure().gca(), np.zeros((3, 8, 8), dtype=np.uint8), columns=2).images[0].get_array().shape
    (19, 19, 4)
    """
    height, width = images.shape[1:3]
    rows = -(-len(images) // columns)
    canvas = np.zeros((rows * (height + 1) + 1, columns * (width + 1) + 1, 4), dtype=np.uint8)
    for position, image in enumerate(images):
        top, left = (
            step * (size + 1) + 1 for step, size in zip(divmod(position, columns), (height, width), strict=True)
        )
        canvas[top : top + height, left : left + width, :3] = image if image.ndim == 3 else image[..., None]
        canvas[top : top + height, left : left + width, 3] = 255
    ax.imshow(canvas, interpolation="nearest")
    ax.set_axis_off()
    return ax


def svg_bytes(figure: Figure, *, transparent: bool = False) -> bytes:
    """Render a figure as SVG: the same bytes for the same figure, no date inside.

    Args:
        figure: what to render.
        transparent: whether what lies behind the figure is seen through it.
    """
    buffer = io.BytesIO()
    with style():
        figure.savefig(buffer, format="svg", metadata={"Date": None}, transparent=transparent)
    return buffer.getvalue()


def save_svg(figure: Figure, path: Path) -> None:
    """Write `svg_bytes` to a file, atomically."""
    atomic_write(path, svg_bytes(figure))


def _finite_half_width(interval: Interval) -> float:
    """Half width to draw; a single seed has an infinite interval, of which nothing can be drawn."""
    return interval.half_width if np.isfinite(interval.half_width) else 0.0


def _count(intervals: Sequence[Interval]) -> str:
    counts = sorted({interval.n for interval in intervals})
    return str(counts[0]) if len(counts) == 1 else f"{counts[0]}-{counts[-1]}"
