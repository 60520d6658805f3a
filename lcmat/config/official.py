"""What the official code does otherwise than a method's definition: one named configuration of parameters per method.

B-numbers are those of the page on the official code. Which of them apply was checked against what the program itself
picked on a trained ResNet-18: Craig, GradMatch, Glister and the cosine kernels look at the network in evaluation mode,
LCMat-S and AdaCore alone in training mode (B2).
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

_WEIGHTS = {"weighted": True, "official_weights": True}
_CRAIG = {"gradients": "last-layer", "double_softmax": True, "loss_reduction": "mean-per-batch", **_WEIGHTS}
_GRADMATCH = {"double_softmax": True, "loss_reduction": "mean-per-batch", "ridge": 1.0, **_WEIGHTS}
_GLISTER = {"double_softmax": True, "loss_reduction": "mean-per-batch", "rounds": 1}

OFFICIAL: Mapping[str, Mapping[str, Any]] = MappingProxyType(
    {
        "lcmat-s": {"loss_reduction": "mean-per-batch", "batch_norm": "batch", "rho": 0.02},  # B1, B2, B11: eps = rho/2
        "craig": _CRAIG,  # B1, B3, B6; trained with its weights
        "gradmatch": _GRADMATCH,  # B1, B3, B5; trained with its weights
        "gradmatch-val": _GRADMATCH,  # the same function, given validation images
        "glister": _GLISTER,  # B1, B3; B5: the gradient is never renewed
        "glister-val": _GLISTER,  # the same function, given validation images
        "adacore": {"official_kernel": True, "batch_norm": "batch"},  # B2, B4
        "facility-location": {"double_softmax": True},  # B3; B12: not in the paper
        "graph-cut": {"double_softmax": True},  # B3; B12: not in the paper
        "least-confidence": {"raw_logits": True},  # DeepCore compares logits; no B-number
        "herding": {"official_order": True},  # B7
        "cal": {"official_order": True},  # B7; not in the paper
    }
)
"""Method -> the parameters that differ. A method that is missing (uniform, k-center, contextual diversity, entropy,
margin) has one configuration: its official code, in evaluation mode, computes what is defined."""
