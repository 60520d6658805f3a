"""AdaCore: facility location on gradients that are preconditioned by the diagonal of the Hessian."""

from collections.abc import Callable

import torch
from torch import Tensor

from lcmat.config.arguments import checked
from lcmat.curvature.last_layer import LastLayer, hessian_diagonals, per_sample_gradients
from lcmat.numerics.blocks import Blocks, Part, check_memory
from lcmat.numerics.streaming import facility_location_of_blocks
from lcmat.selection.coreset import Coreset

_MATRICES = 3  # of all samples and dimensions at once
OFFICIAL_OFFSET = 10.0  # the official similarity is 10 - distance, and facility location clips it at 0


@checked(budget="[0, n]", damping="[0, inf)")
def adacore(
    layer: LastLayer,
    budget: int,
    generator: torch.Generator,
    *,
    damping: float = 0.1,
    official_kernel: bool = False,
    bias: bool = True,
) -> Coreset:
    """AdaCore: Craig on preconditioned gradients ``H_i^{-1} g_i`` (Pooladzandi et al., ICML 2022).

    Gradient and Hessian diagonal are those of the last layer, in closed form.  The source estimates the diagonal with
    random vectors and smooths it over the steps of a training; here it is exact and there is one network, so nothing is
    left to smooth but its zeros: `preconditioned_distance_blocks` adds a damping.  Memory holds a few matrices of all
    samples and dimensions.

    Args:
        layer: the last layer's view of the n samples of a class.
        budget: how many samples to choose.
        generator: not used: the choice is deterministic.
        damping: added to every entry of the Hessian diagonals, as a share of their mean over these samples.  With 0.1
            entries of average size and above are divided by nearly themselves, those far below by one number.
        official_kernel: take `official_distance_blocks` instead; damping then has no effect.
        bias: whether the last layer has one.

    Returns:
        Indices in greedy order, a prefix being the choice of a smaller budget; weights ``gamma_j``, the number of
        samples nearest to each; gains in the unit of the distances.
    """
    if official_kernel:
        blocks = official_distance_blocks(*layer, bias=bias)
    else:
        blocks = preconditioned_distance_blocks(*layer, damping=damping, bias=bias)
    indices, gains, sizes = facility_location_of_blocks(blocks, len(layer.labels), budget, like=layer.features)
    return Coreset(indices, sizes, gains)


@checked(features="n+ d", logits="n c++", labels="int<c n", damping="[0, inf)")
def preconditioned_distance_blocks(
    features: Tensor, logits: Tensor, labels: Tensor, *, damping: float, bias: bool = True
) -> Blocks:
    """Distances ``|u_i - u_j|_2`` of preconditioned gradients ``u_i = g_i / (lambda_i + damping mean(lambda))``.

    The mean is over all samples and dimensions, so that the result does not depend on the unit of the features.
    Without damping an entry of u is about ``1 / (p h)``: the smallest features decide.  Where the denominator is 0, u
    is taken as 0.

    Args:
        features: inputs of the last linear layer, ``(n, d)``.
        logits: its outputs, ``(n, c)``.
        labels: class numbers, int64 ``(n,)``.
        damping: finite and not negative.
        bias: whether the last layer has one.

    Returns:
        Blocks of a symmetric ``(n, n)`` matrix, on demand.

    Raises:
        ValueError: damping is negative or not finite.

    >>> block = preconditioned_distance_blocks(torch.zeros(2, 1), torch.zeros(2, 2), torch.tensor([0, 1]), damping=0.0)
    >>> block(slice(0, 2), slice(0, 2))
    tensor([[0.0000, 5.6569],
            [5.6569, 0.0000]])
    """
    gradients, diagonals = _gradients_and_hessians(features, logits, labels, bias)
    diagonals += damping * diagonals.mean()
    vectors = torch.where(diagonals > 0, gradients.div_(diagonals), 0.0)
    vectors -= vectors.mean(dim=0)  # leaves the distances, and less to cancel
    squared_distances = _squared_distances(vectors)

    def block(rows: Part, columns: Part) -> Tensor:
        squared, scale = squared_distances(rows, columns)
        return torch.where(squared > 64 * torch.finfo(squared.dtype).eps * scale, squared, 0.0).sqrt()

    return block


@checked(features="n+ d", logits="n c++", labels="int<c n")
def official_distance_blocks(features: Tensor, logits: Tensor, labels: Tensor, *, bias: bool = True) -> Blocks:
    """The distances behind the official code's similarities ``10 - |g_i / lambda_i - g_j / lambda_j|_2``.

    There is no damping.  A feature that is exactly 0 makes 0 / 0, hence all distances of that sample NaN, and those are
    set to 0: such a sample seems to coincide with every other.  What is farther than 10 cannot be told apart, since
    facility location clips the similarity at 0.  Once a sample at distance 0 from all is chosen, no other has any gain,
    and ties go to the lowest index: the choice is then the first samples in the order of the files.

    Args:
        features: inputs of the last linear layer, ``(n, d)``.
        logits: its outputs, ``(n, c)``.
        labels: class numbers, int64 ``(n,)``.
        bias: whether the last layer has one.

    Returns:
        Blocks of an ``(n, n)`` matrix, in 0 .. 10, on demand.

    >>> features = torch.tensor([[0.0], [1.0], [1.0]])
    >>> official_distance_blocks(features, torch.zeros(3, 2), torch.tensor([0, 0, 1]))(slice(0, 3), slice(0, 3))
    tensor([[0., 0., 0.],
            [0., 0., 8.],
            [0., 8., 0.]])
    """
    gradients, diagonals = _gradients_and_hessians(features, logits, labels, bias)
    squared_distances = _squared_distances(gradients / diagonals)

    def block(rows: Part, columns: Part) -> Tensor:
        distances = squared_distances(rows, columns)[0].sqrt()
        return distances.nan_to_num(nan=0.0, posinf=OFFICIAL_OFFSET).clamp(max=OFFICIAL_OFFSET)

    return block


def _gradients_and_hessians(features: Tensor, logits: Tensor, labels: Tensor, bias: bool) -> tuple[Tensor, Tensor]:
    """Gradients and Hessian diagonals, ``(n, c (d + 1))`` each: their ratio is no outer product once it is damped."""
    entries = logits.numel() * (features.shape[1] + bias)
    check_memory(
        _MATRICES * entries * features.element_size(), f"AdaCore's gradients of {len(features)} samples of a class"
    )
    gradients = per_sample_gradients(features, logits, labels, bias=bias).flatten(1)
    return gradients, hessian_diagonals(features, logits, bias=bias).flatten(1)


def _squared_distances(vectors: Tensor) -> Callable[[Part, Part], tuple[Tensor, Tensor]]:
    """Blocks of the squared distances of some vectors, and of the sums of squares that they are the rest of."""
    squares = vectors.square().sum(dim=1)

    def block(rows: Part, columns: Part) -> tuple[Tensor, Tensor]:
        scale = squares[rows, None] + squares[columns]
        return scale - 2 * vectors[rows] @ vectors[columns].T, scale

    return block
