"""Graph cut on cosine similarities of gradients, one of DeepCore's submodular functions."""

from collections.abc import Callable

import torch
from torch import Tensor

from lcmat.config.arguments import checked
from lcmat.curvature.last_layer import LastLayer
from lcmat.numerics.ties import first_best
from lcmat.selection.coreset import Coreset, equally_weighted
from lcmat.selection.gradient_factors import gradient_factors
from lcmat.selection.similarity import directions


@checked(budget="[0, n]", cut_lambda="[0, 1e30]")
def graph_cut(
    layer: LastLayer,
    budget: int,
    generator: torch.Generator,
    *,
    cut_lambda: float = 1.0,
    double_softmax: bool = False,
    bias: bool = True,
) -> Coreset:
    """Greedily maximise a graph cut over similarities of last-layer gradients (DeepCore; Iyer et al., ALT 2021).

    With ``s_ij = (1 + cos(g_i, g_j)) / 2``, see `graph_cut_ranking`.

    Args:
        layer: the last layer's view of the n samples of a class.
        budget: how many samples to choose.
        generator: not used: the choice is deterministic.
        cut_lambda: how much likeness to all samples counts against likeness among the chosen ones.
        double_softmax: the official baselines' loss, see `lcmat.selection.gradient_factors`.
        bias: whether the last layer has one.

    Returns:
        Indices in greedy order, a prefix being the choice of a smaller budget; equal weights, for the method defines
        none; marginal gains of f, which may be negative.
    """
    factors = gradient_factors(layer.logits, layer.labels, double_softmax=double_softmax)
    similarities = _similarities(*directions(factors, layer.features, bias=bias))
    indices, gains = graph_cut_ranking(*similarities, budget, cut_lambda=cut_lambda)
    return equally_weighted(indices, len(factors), gains)


@checked(sums="n+", budget="[0, n]", cut_lambda="[0, 1e30]")
def graph_cut_ranking(
    similarity_row: Callable[[int], Tensor], sums: Tensor, budget: int, *, cut_lambda: float
) -> tuple[Tensor, Tensor]:
    """Greedily maximise ``f(S) = lambda sum_{i, j in S} s_ij [i any sample] - sum_{i in S, j in S} s_ij``.

    The gain of j is ``lambda sum_i s_ij - s_jj - 2 sum_{i in S} s_ij``, so one row is subtracted after each choice.
    With ``lambda = 1`` f is the cut between S and the rest.  f is submodular for non-negative similarities, and
    monotone if ``lambda >= 2``; for a smaller one it is not: gains can turn negative as S grows, the guarantee
    ``1 - 1/e`` is lost, and the budget is met all the same, by the samples that cost least.

    Args:
        similarity_row: index -> similarities to all samples, ``(n,)``: non-negative, symmetric, 1 to itself.
        sums: sums of the rows, float64 ``(n,)``.
        budget: how many samples to choose, ``0 .. n``.
        cut_lambda: the lambda of the formula, finite and not negative.

    Returns:
        Indices, int64 ``(budget,)``, and gains, float64 ``(budget,)``, non-increasing, adding up to ``f(S)``.

    Raises:
        ValueError: lambda is negative or not finite.

    >>> rows = torch.tensor([[1.0, 0.5, 0.0], [0.5, 1.0, 0.0], [0.0, 0.0, 1.0]], dtype=torch.float64)
    >>> graph_cut_ranking(rows.__getitem__, rows.sum(dim=0), 3, cut_lambda=1.0)
    (tensor([0, 2, 1]), tensor([ 0.5000,  0.0000, -0.5000], dtype=torch.float64))
    """
    gains = cut_lambda * sums - 1
    rounding = 1e-14 * float(gains.abs().max())
    free = torch.ones_like(gains, dtype=torch.bool)
    indices, taken = [], []
    for _ in range(budget):
        pick = first_best(gains, free, rounding=rounding)
        indices.append(pick)
        taken.append(float(gains[pick]))
        free[pick] = False
        row = similarity_row(pick)
        if row.shape != gains.shape:
            raise ValueError(f"similarity_row must give {len(gains)} numbers, as sums has, gave {tuple(row.shape)}")
        gains -= 2 * row
    return torch.tensor(indices, dtype=torch.int64), torch.tensor(taken, dtype=torch.float64)


def _similarities(left: Tensor, right: Tensor) -> tuple[Callable[[int], Tensor], Tensor]:
    """Rows of ``s_ij`` on demand, and their sums, from the `directions`: no matrix of all pairs is built."""
    own = left.square().sum(dim=1)  # the cosine with oneself: 1, or 0 where the gradient vanishes
    cosines = (right @ (left.T @ right).T).mul(left).sum(dim=1)

    def row(index: int) -> Tensor:
        similarities = (1 + (left @ left[index]) * (right @ right[index])).div(2).clamp(0, 1)
        similarities[index] = 1
        return similarities

    return row, (len(left) + cosines + 1 - own) / 2
