"""Uniform random selection, the baseline that a method must beat."""

import torch
from torch import Tensor

from lcmat.selection.coreset import Coreset


def uniform(features: Tensor, logits: Tensor, labels: Tensor, budget: int, generator: torch.Generator) -> Coreset:
    """A uniformly random choice without replacement; each stands for ``n / budget`` samples."""
    indices = torch.randperm(len(labels), generator=generator)[:budget]
    weights = torch.full((budget,), len(labels) / max(budget, 1), dtype=torch.float64)
    return Coreset(indices, weights, torch.full_like(weights, torch.nan))
