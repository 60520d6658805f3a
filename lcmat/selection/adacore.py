"""AdaCore: facility location on gradients that are preconditioned by the diagonal of the Hessian."""

import functools
from collections.abc import Iterable, Iterator

import torch
from torch import Tensor

from lcmat.curvature import augmented_features, bernoulli_variances, residuals
from lcmat.selection.coreset import Coreset
from lcmat.submodular import cluster_sizes, facility_location

OFFICIAL_OFFSET = 10.0  # the official similarity is 10 - distance, and facility location clips it at 0


def adacore(
    features: Tensor,
    logits: Tensor,
    labels: Tensor,
    budget: int,
    generator: torch.Generator,
    *,
    damping: float = 0.1,
    official_kernel: bool = False,
) -> Coreset:
    """AdaCore: Craig on preconditioned gradients ``H_i^{-1} g_i`` (Pooladzandi et al., ICML 2022).

    Gradient and Hessian diagonal are those of the last layer, in closed form.  The source estimates the diagonal with
    random vectors and smooths it over the steps of a training; here it is exact and there is one network, so nothing is
    left to smooth but its zeros: `preconditioned_distances` adds a damping.  Deterministic: the generator is not used.

    Args:
        features: inputs of the last linear layer, ``(n, d)``.
        logits: its outputs, ``(n, c)``.
        labels: class numbers, int64 ``(n,)``.
        budget: how many samples to choose.
        generator: unused; every method takes one.
        damping: added to every entry of the Hessian diagonals, as a share of their mean over these samples.
        official_kernel: take `official_distances` instead; damping then has no effect.

    Returns:
        Indices in greedy order, a prefix being the choice of a smaller budget; weights ``gamma_j``, the number of
        samples nearest to each; gains in the unit of the distances.
    """
    if official_kernel:
        distances = official_distances(features, logits, labels)
    else:
        distances = preconditioned_distances(features, logits, labels, damping=damping)
    indices, gains = facility_location(distances, budget)
    return Coreset(indices, cluster_sizes(distances, indices), gains)


def preconditioned_distances(features: Tensor, logits: Tensor, labels: Tensor, *, damping: float) -> Tensor:
    """Distances ``|u_i - u_j|_2`` of preconditioned gradients ``u_i = g_i / (lambda_i + damping mean(lambda))``.

    The mean is over all samples and dimensions, so that the result does not depend on the unit of the features.
    Without damping an entry of u is about ``1 / (p h)``: the smallest features decide.  Where the denominator is 0, u
    is taken as 0.

    Args:
        features: inputs of the last linear layer, ``(n, d)``.
        logits: its outputs, ``(n, c)``.
        labels: class numbers, int64 ``(n,)``.
        damping: finite and not negative.

    Returns:
        ``(n, n)``, symmetric, zero diagonal.

    Raises:
        ValueError: damping is negative or not finite.

    >>> preconditioned_distances(torch.zeros(2, 1), torch.zeros(2, 2), torch.tensor([0, 1]), damping=0.0)
    tensor([[0.0000, 5.6569],
            [5.6569, 0.0000]])
    """
    if not 0 <= damping < float("inf"):
        raise ValueError(f"damping must be a finite number >= 0, got {damping}")
    variances, squares = bernoulli_variances(logits), augmented_features(features).square()
    added = damping * (variances.mean(dim=1) * squares.mean(dim=1)).mean()

    def centred(gradient: Tensor, curvature: Tensor) -> Tensor:
        entries = torch.where(curvature + added > 0, gradient / (curvature + added), 0.0)
        return entries - entries.mean(dim=0)  # leaves the distances, and less to cancel

    squared, scale = _squared_distances(map(centred, *_gradients_and_hessians(features, logits, labels)))
    noise = 64 * torch.finfo(features.dtype).eps * scale
    return torch.where(squared > noise, squared, 0.0).sqrt().fill_diagonal_(0.0)


def official_distances(features: Tensor, logits: Tensor, labels: Tensor) -> Tensor:
    """The distances behind the official code's similarities ``10 - |g_i / lambda_i - g_j / lambda_j|_2``.

    There is no damping.  A feature that is exactly 0 makes 0 / 0, hence all distances of that sample NaN, and those are
    set to 0: such a sample seems to coincide with every other.  What is farther than 10 cannot be told apart, since
    facility location clips the similarity at 0.  Once a sample at distance 0 from all is chosen, no other has any gain,
    and ties go to the lowest index: the choice is then the first samples in the order of the files.

    Args:
        features: inputs of the last linear layer, ``(n, d)``.
        logits: its outputs, ``(n, c)``.
        labels: class numbers, int64 ``(n,)``.

    Returns:
        ``(n, n)``, in 0 .. 10.

    >>> official_distances(torch.tensor([[0.0], [1.0], [1.0]]), torch.zeros(3, 2), torch.tensor([0, 0, 1]))
    tensor([[0., 0., 0.],
            [0., 0., 8.],
            [0., 8., 0.]])
    """
    ratios = map(torch.div, *_gradients_and_hessians(features, logits, labels))
    squared, _ = _squared_distances(ratios)
    return squared.sqrt().nan_to_num(nan=0.0, posinf=OFFICIAL_OFFSET).clamp(max=OFFICIAL_OFFSET)


def _gradients_and_hessians(
    features: Tensor, logits: Tensor, labels: Tensor
) -> tuple[Iterator[Tensor], Iterator[Tensor]]:
    """Gradients and Hessian diagonals, class by class: ``(n, d + 1)`` each, so that they are never there at once."""
    augmented = augmented_features(features)
    squares = augmented.square()
    gradients = (part[:, None] * augmented for part in residuals(logits, labels).unbind(dim=1))
    return gradients, (part[:, None] * squares for part in bernoulli_variances(logits).unbind(dim=1))


def _squared_distances(blocks: Iterable[Tensor]) -> tuple[Tensor, Tensor]:
    """Squared distances of vectors given as blocks of their columns, and the sums of squares that they come from."""
    gram = functools.reduce(torch.add, (block @ block.T for block in blocks))
    scale = gram.diagonal()[:, None] + gram.diagonal()
    return scale - 2 * gram, scale
