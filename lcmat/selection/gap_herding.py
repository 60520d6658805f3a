"""Gap herding: samples whose mean gradient and mean Hessian diagonal follow those of their class."""

import torch

from lcmat.config.arguments import checked
from lcmat.curvature.last_layer import (
    LastLayer,
    augmented_features,
    hessian_diagonal_columns,
    top_variance_dimensions,
)
from lcmat.numerics.ties import first_best
from lcmat.selection.coreset import Coreset, equally_weighted
from lcmat.selection.gradient_factors import gradient_factors, mean_gradient, products_with

_ROUNDING = 1e-13  # of a sum of a few thousand float64 numbers, relative to its terms


@checked(budget="[0, n]", rho="[0, inf)")
def gap_herding(
    layer: LastLayer,
    budget: int,
    generator: torch.Generator,
    *,
    rho: float = 0.1,
    top_k: int = 100,
    bias: bool = True,
) -> Coreset:
    """Greedily minimise the gap of equal weights, which LCMat-S bounds for weights that training does not have.

    With the means ``g`` of the gradients and ``lambda`` of the Hessian diagonals over the class, and ``g_S``,
    ``lambda_S`` over the chosen samples, it adds the sample that makes

        || g_S - g ||_2 + rho / 2 sum_{k in K} | lambda_Sk - lambda_k |

    least: what the paper bounds by distances of single samples (its Eq. 10 and 12), without this bound.  It is herding
    (Welling, ICML 2009) in the space of gradients and curvatures.

    Args:
        layer: the last layer's view of the n samples of a class.
        budget: how many samples to choose.
        generator: not used: the choice is deterministic.
        rho: radius of the parameter perturbation; 0 leaves gradients.
        top_k: how many Hessian dimensions count, K.
        bias: whether the last layer has one.

    Returns:
        Indices in greedy order, a prefix being the choice of a smaller budget; equal weights.

    Raises:
        ValueError: ``rho`` is negative or not finite, or ``top_k`` is not positive.

    >>> layer = LastLayer(torch.tensor([[1.0], [2.0], [4.0]]), torch.zeros(3, 2), torch.tensor([0, 0, 0]))
    >>> gap_herding(layer, 2, torch.Generator(), rho=0.0).indices  # gradients grow with features, whose mean is 2.33
    tensor([1, 2])
    """
    features, logits, labels = layer
    factors, inputs = gradient_factors(logits, labels), augmented_features(features, bias=bias)
    mean = mean_gradient(factors, features, bias=bias)
    squares = factors.square().sum(dim=1) * inputs.square().sum(dim=1)
    dimensions = top_variance_dimensions(features, logits, top_k, bias=bias)
    bends = rho / 2 * hessian_diagonal_columns(features, logits, dimensions, bias=bias)
    bends -= bends.mean(dim=0)
    # Sums over the chosen samples minus as many means; of gradients, the mean for the next one is taken off already.
    gradients, curvatures = -mean, torch.zeros_like(bends[0])
    largest, free = float(squares.max().sqrt()), torch.ones_like(squares, dtype=torch.bool)
    indices: list[int] = []
    for _ in range(budget):
        squared = gradients.square().sum() + 2 * products_with(gradients, factors, features) + squares
        costs = squared.clamp(min=0).sqrt() + (curvatures + bends).abs().sum(dim=1)
        # The square root makes much of the rounding where all but nothing is left.
        error = _ROUNDING * (largest + float(gradients.norm())) ** 2
        rounding = error / max(float(costs[free].min()), error**0.5) if error else 0.0
        rounding += _ROUNDING * float(curvatures.abs().sum())
        indices.append(first_best(-costs, free, rounding=rounding))
        free[indices[-1]] = False
        gradients += torch.outer(factors[indices[-1]], inputs[indices[-1]]) - mean
        curvatures += bends[indices[-1]]
    return equally_weighted(torch.tensor(indices, dtype=torch.int64), len(labels))
