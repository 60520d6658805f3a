"""The paper's ordering claims, each a set of comparisons "this one is more accurate than that one"."""

from __future__ import annotations

from dataclasses import dataclass

from lcmat.config.official import OFFICIAL
from lcmat.config.registry import METHODS
from lcmat.report.paired import Pair
from lcmat.report.schemes import method_label

_RADII = (0.01, 0.025, 0.05, 0.075, 0.1, 0.125, 0.15, 0.175, 0.2, 0.25, 0.3, 0.35, 0.5)
_NOT_IN_FIGURE_4 = (0.01, 0.1, 0.3, 0.5)
_OURS = f"{METHODS['lcmat-s'].title}, ρ = {METHODS['lcmat-s'].options['rho']:g}"


@dataclass(frozen=True)
class Claim:
    """An ordering that the paper states.

    Attributes:
        name: a word for links.
        statement: what is claimed.
        where: section, table or figure of the paper.
        tables: whose numbers bear on it, named as in published.csv; none if the paper prints no number.
        titles: (better, worse) methods as the paper spells them, for its numbers.
        labels: the same for our runs of the methods as defined, see `lcmat.report.method_label`: these are judged.
        official: the same for runs of the methods as their official codes do them, shown beside.
        runs: which of our runs bear on it, "plain", "crossed" (another network is trained) or "pretraining".
        experiment: whose records they are.
        reduced: whether runs of reduced protocols bear on it; not if another claim makes the same comparisons of them.
        unprinted: labels of which the paper prints no number: their comparisons stand for none that it prints.
    """

    name: str
    statement: str
    where: str
    tables: tuple[str, ...]
    titles: tuple[Pair, ...]
    labels: tuple[Pair, ...]
    official: tuple[Pair, ...] = ()
    runs: str = "plain"
    experiment: str = "selection"
    reduced: bool = True
    unprinted: frozenset[str] = frozenset()


def _against(ours: str, *others: str) -> tuple[Pair, ...]:
    return tuple((ours, other) for other in others)


def _official_label(name: str, rho: float | None = None) -> str:
    """The label of a method's official configuration, given its registry name, at another radius if one is named."""
    return method_label(name, {**OFFICIAL.get(name, {}), **({} if rho is None else {"rho": rho})})


def _official(*others: str) -> tuple[Pair, ...]:
    """LCMat-S against others of these titles, each as its official code does it."""
    names = {method.title: name for name, method in METHODS.items()}
    return _against(_official_label("lcmat-s"), *(_official_label(names[title]) for title in others))


_FEW = ("Uniform", "k-Center", "Craig", "GradMatch", "Glister", "AdaCore")
_ALL = (*_FEW, "C-Div", "Herding", "L-Conf", "Entropy", "Margin", "GradMatch-Val", "Glister-Val")
_CONDENSED = (*_against("LCMat-C", "DSA", "DM"),)

CLAIMS: tuple[Claim, ...] = (
    Claim(
        "all-baselines",
        "LCMat-S is more accurate than every baseline at every fraction.",
        "section 4.1, Table 1",
        ("1",),
        _against("LCMat-S", *_ALL),
        _against(_OURS, *_ALL),
        _official(*_ALL),
    ),
    Claim(
        "uniform",
        "LCMat-S is more accurate than uniform selection at every fraction.",
        "section 4.1, Table 1",
        ("1",),
        _against("LCMat-S", "Uniform"),
        _against(_OURS, "Uniform"),
        _official("Uniform"),
    ),
    Claim(
        "radius",
        "A radius ρ > 0 is consistently better than ρ = 0.",
        "Figure 4",
        ("figure 4",),
        (),
        tuple((f"LCMat-S, ρ = {rho:g}", "LCMat-S, ρ = 0") for rho in _RADII),
        tuple((_official_label("lcmat-s", rho), _official_label("lcmat-s", 0.0)) for rho in _RADII),
        unprinted=frozenset(
            label for rho in _NOT_IN_FIGURE_4 for label in (f"LCMat-S, ρ = {rho:g}", _official_label("lcmat-s", rho))
        ),
    ),
    Claim(
        "architectures",
        "A coreset of LCMat-S serves other networks better than that of every baseline.",
        "Table 2",
        ("2",),
        _against("LCMat-S", *(name for name in _FEW if name != "k-Center")),
        _against(_OURS, *_FEW),
        _official(*_FEW),
        runs="crossed",
        unprinted=frozenset({"k-Center"}),
    ),
    Claim(
        "other-networks",
        "LCMat-S is more accurate than every baseline with other selecting networks and data.",
        "Tables 3 and 6, read as part of the first claim",
        ("3", "6"),
        _against("LCMat-S", *_ALL),
        _against(_OURS, *_ALL),
        _official(*_ALL),
        reduced=False,
    ),
    Claim(
        "pretraining",
        "However the selecting network was trained, LCMat-S wins most often against each other method.",
        "Figure 3",
        ("figure 3",),
        _against("LCMat-S", *_FEW),
        _against(_OURS, *_FEW),
        _official(*_FEW),
        runs="pretraining",
    ),
    Claim(
        "weights",
        "Training with the weights of the coreset is less accurate than without.",
        "section 4.1, appendix A.3 (in words)",
        (),
        (),
        (
            (_OURS, f"{_OURS}, weighted"),
            ("LCMat-S, ρ = 0", "LCMat-S, ρ = 0, weighted"),
            ("AdaCore", "AdaCore, weighted"),
        ),
    ),
    Claim(
        "condensation",
        "LCMat-C is more accurate than DSA and DM.",
        "Table 4",
        ("4",),
        _CONDENSED,
        _CONDENSED,
        experiment="condensation",
    ),
    Claim(
        "condensation-architectures",
        "Images of LCMat-C serve other networks better than those of DSA and DM.",
        "Table 5",
        ("5",),
        _CONDENSED,
        _CONDENSED,
        experiment="condensation",
    ),
    Claim(
        "continual",
        "Among selected memories LCMat-S, among condensed ones LCMat-C, is the most accurate after every stage.",
        "Figure 5",
        ("figure 5",),
        (*_against("LCMat-S", "Uniform", "Craig", "GradMatch", "Glister", "AdaCore"), *_CONDENSED),
        _CONDENSED,
        experiment="continual",
    ),
)
