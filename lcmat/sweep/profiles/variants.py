"""Configurations of selection methods that studies compare."""

from collections.abc import Mapping
from typing import Any

from lcmat.config.official import OFFICIAL
from lcmat.config.registry import METHODS
from lcmat.config.selection import PAPER_RADII

__all__ = [
    "ALTERNATIVES",
    "DEFINED",
    "LEDGER",
    "LEDGER_ENDS",
    "NEAREST_ALTERNATIVES",
    "OWN",
    "PAPER_RADII",
    "SHIPPED",
    "UNIFORM",
    "Variants",
    "lcmat_s",
    "methods",
    "official",
]

Variants = tuple[Mapping[str, Any], ...]

UNIFORM: Variants = ({"method": "uniform"},)


def lcmat_s(*radii: float) -> Variants:
    """LCMat-S at each of these radii."""
    return tuple({"method": "lcmat-s", "rho": rho} for rho in radii)


def methods(*names: str) -> Variants:
    """These methods as they are defined."""
    return tuple({"method": name} for name in names)


def official(*names: str) -> Variants:
    """These methods as their official code does them."""
    return tuple({"method": name, **OFFICIAL.get(name, {})} for name in names)


OWN = ("lcmat-s-spectral", "gap-herding")
"""Methods of this project, which some questions ask for."""

DEFINED: Variants = methods(*(name for name in METHODS if name not in OWN))
"""Every method of the literature by its definition."""

SHIPPED: Variants = tuple(
    {name: value for name, value in variant.items() if name != "batch_norm"} for variant in official(*OFFICIAL)
)
"""The methods whose official code does something else, with its quirks, on networks without batch normalisation."""

_AT_DEFAULT = lcmat_s(0.1)

LEDGER_ENDS: Variants = (
    *UNIFORM,
    *_AT_DEFAULT,
    *official("lcmat-s"),
    *({**variant, "batch_norm": "batch"} for variant in _AT_DEFAULT),
)
"""LCMat-S by its definition and as its official code does it, and with the batch statistics of the latter alone."""

NEAREST_ALTERNATIVES: Variants = (
    *UNIFORM,
    *_AT_DEFAULT,
    {**_AT_DEFAULT[0], "batch_norm": "batch"},
    {"method": "facility-location", "compared": "features"},
    {"method": "craig", "batch_norm": "batch"},
)
"""Beside what is to be explained: covering a class without any gradient, and the same statistics without a Hessian."""

ALTERNATIVES: Variants = (
    *NEAREST_ALTERNATIVES,
    *methods("k-center", "herding", "moderate", "facility-location"),
    *methods("gap-herding"),
    {**_AT_DEFAULT[0], "weighted": True},
    {"method": "lcmat-s", "rho_choice": "held-out"},
    {**_AT_DEFAULT[0], "selection_epochs": 30},
)
"""Choices with a reason that could do what the statistics of single-class batches do, cheapest first."""

LEDGER: Variants = (
    *LEDGER_ENDS,
    *({**variant, name: value} for variant in _AT_DEFAULT for name, value in OFFICIAL["lcmat-s"].items()),
    *methods("craig", "facility-location"),
    *official("craig"),
)
"""All options between them one at a time, and methods that have something in common with the official code."""
