"""The one story of the derivation: the map from Eq. 4 to Eq. 12, and what a chapter says of itself."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from IPython.display import Markdown

from lcmat.files.paths import project_folder
from lcmat.sweep.runner import read_source

if TYPE_CHECKING:
    from matplotlib.axes import Axes

HIDDEN = {"hide-input", "hide-cell", "remove-input", "remove-cell"}
WORDS_A_MINUTE = 180
SECONDS_A_FORMULA, SECONDS_A_SYMBOL, SECONDS_A_LINE = 20, 2, 4
"""What a displayed formula, an inline one and a visible line of code add to the time of the words."""

_DISPLAYED = re.compile(r"```\{math\}.*?```|\$\$.*?\$\$", re.DOTALL)
_INLINE = re.compile(r"\$[^$]+\$")


@dataclass(frozen=True)
class Arrow:
    """One step of the map.

    Attributes:
        relation: how what stands before compares with the target: `=`, `<=`, `>=` or `~`, neither of them.
        name: the target in two words.
        formula: the target, in the mathematics of matplotlib.
        chapter: the file that derives it, without its ending.
        reason: what is done, or left out.
    """

    relation: str
    name: str
    formula: str
    chapter: str
    reason: str


START = "training on S"
ARROWS = (
    Arrow(
        "~",
        "gap, Eq. 4",
        r"$\max_{\|\epsilon\|\leq\rho}\,\left[\,|\Delta(\theta+\epsilon)|-|\Delta(\theta)|\,\right]/\rho$",
        "01_matching",
        "losses that agree around θ",
    ),
    Arrow(
        ">=",
        "last layer",
        r"$\max_{\|V\|\leq\rho}\,\left[\,|\Delta(V)|-|\Delta(0)|\,\right]/\rho$",
        "02_worst_case_gap",
        "only the last layer moves",
    ),
    Arrow(
        "<=",
        "bound",
        r"$\|g\|+\frac{\rho}{2}\|H\|_2+\frac{\kappa}{6}\rho^2$",
        "03_upper_bound",
        "Taylor and two norms",
    ),
    Arrow(">=", "Eq. 6", r"$\|g\|+\frac{\rho}{2}\|H\|_2$", "03_upper_bound", "the remainder is left out"),
    Arrow(
        ">=",
        "diagonal, Eq. 7",
        r"$\|g\|+\frac{\rho}{2}\max_k|H_{kk}|$",
        "04_diagonal",
        "the matrix becomes its diagonal",
    ),
    Arrow(
        ">=",
        "K entries",
        r"$\|g\|+\frac{\rho}{2}\max_{k\in\mathcal{K}}|H_{kk}|$",
        "04_diagonal",
        "only K entries are kept",
    ),
    Arrow(
        "<=",
        "sum, Eq. 9",
        r"$\|g\|+\frac{\rho}{2}\sum_{k\in\mathcal{K}}|H_{kk}|$",
        "04_diagonal",
        "a sum for the maximum",
    ),
    Arrow(
        "<=",
        "distances, Eq. 10",
        r"$\frac{1}{n}\sum_{i\in T}\min_{j\in S}d_{ij}$",
        "05_facility_location",
        "each sample to its nearest",
    ),
    Arrow("=", "F(S), Eq. 12", r"$d_0-\frac{1}{n}F(S)$", "05b_greedy", "facility location"),
)
ASIDE = {
    "06_gradient_variance": "Eq. 7 ~ gradient variance, Eq. 14",
    "07_generalisation": "T ~ population, Theorem 3.4",
}
"""What the chapters beside the chain add to it."""

SIGNS = {"~": "~", "=": "=", "<=": "≤", ">=": "≥"}


def here(chapter: str) -> Markdown:
    """The map in one line with "you are here", and how long the chapter takes to read.

    Args:
        chapter: its file without the ending; its number says which arrows are its own.
    """
    parts = [START]
    for arrow in ARROWS:
        parts += [SIGNS[arrow.relation], _marked(arrow.name, arrow.chapter, chapter)]
    asides = [_marked(text, name, chapter) for name, text in ASIDE.items()]
    chain, beside = " ".join(parts), "; ".join(asides)
    place = "at the bold part of" if "**" in chain + beside else "beside all of"
    line = f"You are {place} the {{doc}}`map </book/derivation/00_map>`: {chain}. Beside it: {beside}."
    return Markdown(f":::{{div}} story\n{line} {_duration(chapter)}\n:::")


def passed(chapter: str) -> Markdown:
    """How many checks the chapter has: items of its list under "Checks", assertions of its code."""
    cells = _cells(chapter)
    items = sum(
        len(re.findall(r"^\d+\. ", cell.source, re.MULTILINE)) for cell in cells if cell.source.startswith("## Checks")
    )
    assertions = sum(_assertions(cell.source) for cell in cells if cell.cell_type == "code")
    return Markdown(f"**{items} checks with {assertions} assertions.** This page is only built if all of them hold.")


def reading_minutes(chapter: str) -> int:
    """Minutes to read a chapter, from the words, formulas and visible code of its source."""
    cells = _cells(chapter)
    text = "\n".join(cell.source for cell in cells if cell.cell_type == "markdown")
    prose = _DISPLAYED.sub("", text)
    symbols, words = len(_INLINE.findall(prose)), len(re.findall(r"[A-Za-z]{2,}", _INLINE.sub("", prose)))
    seconds = 60 * words / WORDS_A_MINUTE + SECONDS_A_FORMULA * len(_DISPLAYED.findall(text))
    seconds += SECONDS_A_SYMBOL * symbols + SECONDS_A_LINE * sum(len(lines) for lines in visible_code(cells))
    return max(1, round(seconds / 60))


def visible_code(cells: list[Any]) -> Iterator[list[str]]:
    """The lines of each code cell that a page shows unfolded."""
    for cell in cells:
        if cell.cell_type == "code" and not HIDDEN & set(cell.metadata.get("tags", [])):
            yield cell.source.splitlines()


def draw_map(ax: Axes, values: list[str] | None = None) -> Axes:
    """Draw the chain, one row an arrow.

    Args:
        ax: where to draw.
        values: what stands at the right of each target, for instance its value in an example.
    """
    ax.set(xlim=(0, 1), ylim=(-len(ARROWS) - 0.5, 0.5))
    ax.axis("off")
    box = {"boxstyle": "round,pad=0.35", "facecolor": "white", "edgecolor": "#0072B2"}
    ax.text(0.25, 0, "train on S as on T", ha="center", va="center", bbox=box)
    for row, arrow in enumerate(ARROWS, 1):
        ax.text(0.25, -row, arrow.formula, ha="center", va="center", bbox=box)
        ax.text(0.25, 0.5 - row, SIGNS[arrow.relation], ha="center", va="center", color="#D55E00", fontsize=12)
        ax.text(0.5, -row, f"{arrow.chapter[:2].lstrip('0')}   {arrow.reason}", va="center")
        if values:
            ax.text(1, -row, values[row - 1], ha="right", va="center")
    return ax


def _marked(text: str, chapter: str, reader: str) -> str:
    return f"**{text}**" if chapter[:2] == reader[:2] else f"{{doc}}`{text} </book/derivation/{chapter}>`"


def _duration(chapter: str) -> str:
    """Nothing where the sources are not, as in a notebook far from the repository."""
    return f"About {reading_minutes(chapter)} minutes to read." if _cells(chapter) else ""


def _cells(chapter: str) -> list[Any]:
    sources = sorted((project_folder() / "notebooks").glob(f"*/{chapter}.py"))
    return list(read_source(sources[0]).cells) if sources else []


def _assertions(code: str) -> int:
    names = (ast.unparse(node.func) for node in ast.walk(ast.parse(code)) if isinstance(node, ast.Call))
    asserts = (isinstance(node, ast.Assert) for node in ast.walk(ast.parse(code)))
    return sum(asserts) + sum(name.startswith("torch.testing.assert") for name in names)
