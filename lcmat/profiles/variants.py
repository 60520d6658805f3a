"""Configurations of selection methods that studies compare."""

from collections.abc import Mapping
from typing import Any

from lcmat.defaults import METHOD_OPTIONS

Variants = tuple[Mapping[str, Any], ...]

PAPER_RADII = (0.01, 0.05, 0.1, 0.5)
"""The values of rho among which the paper chooses (Sec. 4.1)."""

UNIFORM: Variants = ({"method": "uniform"},)


def lcmat_s(*radii: float) -> Variants:
    """LCMat-S at each of these radii."""
    return tuple({"method": "lcmat-s", "rho": rho} for rho in radii)


def methods(*names: str) -> Variants:
    """These methods as they are defined."""
    return tuple({"method": name} for name in names)


DEFINED: Variants = methods(*(name for name in METHOD_OPTIONS if name != "lcmat-s-spectral"))
"""Every method of the registry by its definition, but for the exact spectral norm, which is too slow for large sets."""

SHIPPED: Variants = (
    {"method": "lcmat-s", "loss_reduction": "mean-per-batch"},
    {"method": "craig", "gradients": "last-layer", "double_softmax": True, "loss_reduction": "mean-per-batch"},
    {"method": "gradmatch", "double_softmax": True, "loss_reduction": "mean-per-batch"},
    {"method": "glister", "double_softmax": True, "loss_reduction": "mean-per-batch"},
    {"method": "adacore", "official_kernel": True},
    {"method": "graph-cut", "double_softmax": True},
    {"method": "facility-location", "double_softmax": True},
    {"method": "herding", "official_order": True},
    {"method": "cal", "official_order": True},
    {"method": "least-confidence", "raw_logits": True},
)
"""The methods whose official code does something else, with its quirks."""
