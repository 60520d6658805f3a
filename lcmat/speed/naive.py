"""The direct formulations that the benchmarks compare with: as defined, with nothing kept from one step to the next."""

import torch
from torch import Tensor

from lcmat.curvature.last_layer import hessian_diagonal_columns, per_sample_gradients, top_variance_dimensions

TEMPORARY_BYTES = 100 * 2**20  # of the L1 distances' n x n x K temporary at a time; the whole of it would not fit


def naive_distances(features: Tensor, logits: Tensor, labels: Tensor, *, rho: float, top_k: int) -> Tensor:
    """Equation 10 as it is written: all c (d + 1) columns of the gradients, and the n x n x K temporary in slices."""
    gradients = per_sample_gradients(features, logits, labels).flatten(1)
    squared = gradients.square().sum(dim=1)
    distances = (squared[:, None] + squared - 2 * gradients @ gradients.T).clamp_(min=0).sqrt_()
    columns = hessian_diagonal_columns(features, logits, top_variance_dimensions(features, logits, top_k))
    for rows in torch.arange(len(columns)).split(max(1, TEMPORARY_BYTES // columns.nbytes)):
        distances[rows] += rho / 2 * (columns[rows, None] - columns).abs().sum(dim=2)
    return distances.fill_diagonal_(0)


def naive_greedy(distances: Tensor, budget: int) -> list[int]:
    """Facility location with every candidate's gain from scratch at every step."""
    nearest = distances.max().expand(len(distances))
    chosen: list[int] = []
    for _ in range(budget):
        gains = (nearest[:, None] - distances).clamp_(min=0).sum(dim=0)
        gains[chosen] = -torch.inf
        chosen.append(int((gains >= gains.max() * (1 - 1e-10)).nonzero()[0]))
        nearest = torch.minimum(nearest, distances[:, chosen[-1]])
    return chosen


def naive_k_center(features: Tensor, budget: int, first: int) -> list[int]:
    """The farthest sample from all chosen ones; at each step the distances of all steps are searched again."""
    chosen, free = [first], torch.ones(len(features), dtype=torch.bool)
    distances = features.new_full((budget, len(features)), torch.inf)
    for step in range(budget - 1):
        free[chosen[-1]] = False
        distances[step, free] = _distances(features[chosen[-1] :][:1], features[free])[0]
        candidates = free.nonzero().flatten()
        chosen.append(int(candidates[distances[: step + 1, free].min(dim=0).values.argmax()]))
    return chosen


def naive_herding(features: Tensor, budget: int) -> list[int]:
    """The sample that brings the mean of the chosen ones nearest to the mean of all, from all of them at each step."""
    mean, free = features.mean(dim=0), torch.ones(len(features), dtype=torch.bool)
    chosen: list[int] = []
    for step in range(budget):
        wanted = (step + 1) * mean - features[chosen].sum(dim=0)
        candidates = free.nonzero().flatten()
        chosen.append(int(candidates[_distances(wanted[None], features[free])[0].argmin()]))
        free[chosen[-1]] = False
    return chosen


def naive_pursuit(gradients: Tensor, budget: int, ridge: float, *, least_squares: bool = False) -> list[int]:
    """Orthogonal matching pursuit of the gradients' sum, the regression solved anew at each step from all columns.

    DeepCore hands the normal equations to a least-squares routine, which takes longer than solving them.
    """
    target, free = gradients.sum(dim=0), torch.ones(len(gradients), dtype=torch.bool)
    residual, chosen = target, list[int]()
    for _ in range(budget):
        chosen.append(int(torch.where(free, gradients @ residual, -torch.inf).argmax()))
        free[chosen[-1]] = False
        own = gradients[chosen]
        normal, products = own @ own.T + ridge * torch.eye(len(own), dtype=own.dtype), own @ target
        if least_squares:
            weights = torch.linalg.lstsq(normal, products[:, None]).solution[:, 0]
        else:
            weights = torch.linalg.solve(normal, products)
        residual = target - own.T @ weights
    return chosen


def _distances(left: Tensor, right: Tensor) -> Tensor:
    squared = left.square().sum(dim=1)[:, None] + right.square().sum(dim=1) - 2 * left @ right.T
    return squared.clamp_(min=1e-12).sqrt_()
