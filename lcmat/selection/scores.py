"""Methods that rank the samples by a score, and the ranking itself; all of them are deterministic."""

import torch
from torch import Tensor

from lcmat.config.arguments import checked
from lcmat.curvature.last_layer import LastLayer
from lcmat.numerics.ties import TIE_TOLERANCE
from lcmat.selection.coreset import Coreset, equally_weighted


@checked(scores="n", budget="[0, n]", rounding="[0, inf)")
def best(scores: Tensor, budget: int, *, rounding: float = 0.0) -> Coreset:
    """The samples with the largest scores, equally weighted; of equal scores the lowest index comes first.

    Args:
        scores: finite, ``(n,)``.
        budget: how many samples to choose, ``0 .. n``.
        rounding: error of the scores; neighbours in their order that are no farther apart, or by no more than 1e-10
            of the larger one, count as equal.

    >>> best(torch.tensor([1.0, 3.0, 2.0, 3.0]), 3).indices
    tensor([1, 3, 2])
    """
    order = scores.argsort(descending=True, stable=True)
    larger, smaller = scores[order[:-1]], scores[order[1:]]
    apart = larger - smaller > TIE_TOLERANCE * larger.abs() + rounding
    rank = torch.zeros_like(order)
    rank[1:] = apart.cumsum(dim=0)
    by_rank_and_index = (rank * len(order) + order).argsort()
    return equally_weighted(order[by_rank_and_index][:budget], len(order))


@checked(budget="[0, n]")
def least_confidence(layer: LastLayer, budget: int, generator: torch.Generator, *, raw_logits: bool = False) -> Coreset:
    """Largest ``1 - max_k p_k`` first (Settles 2009, Sec. 3.1; Coleman et al., ICLR 2020).

    The score is summed from the other classes' probabilities, so that samples stay apart of which ``max_k p_k`` would
    round to 1.

    Args:
        layer: the last layer's view of the n samples of a class, of which only the logits count.
        budget: how many samples to choose.
        generator: not used.
        raw_logits: take the smallest ``max_k z_k`` of the logits instead, as the official code does.

    >>> layer = LastLayer(torch.zeros(2, 1), torch.tensor([[2.0, 0.0], [1.0, 0.0]]), torch.tensor([0, 0]))
    >>> least_confidence(layer, 1, torch.Generator()).indices
    tensor([1])
    """
    if raw_logits:
        return best(-layer.logits.max(dim=1).values, budget)
    return best(_sorted_probabilities(layer)[:, 1:].sum(dim=1), budget)


@checked(budget="[0, n]")
def entropy(layer: LastLayer, budget: int, generator: torch.Generator) -> Coreset:
    """Largest ``-sum_k p_k log p_k`` first (Settles 2009, Sec. 3.1; Coleman et al., ICLR 2020).

    Args:
        layer: the last layer's view of the n samples of a class, of which only the logits count.
        budget: how many samples to choose.
        generator: not used.

    >>> layer = LastLayer(torch.zeros(2, 1), torch.tensor([[2.0, 0.0], [1.0, 0.0]]), torch.tensor([0, 0]))
    >>> entropy(layer, 1, torch.Generator()).indices
    tensor([1])
    """
    logarithms = layer.logits.log_softmax(dim=1)
    return best(-(logarithms.exp() * logarithms).sum(dim=1), budget)


@checked(budget="[0, n]")
def margin(layer: LastLayer, budget: int, generator: torch.Generator) -> Coreset:
    """Smallest ``p_(1) - p_(2)`` of the sorted probabilities first (Scheffer et al. 2001; Settles 2009, Sec. 3.1).

    What is compared is ``1 - (p_(1) - p_(2)) = 2 p_(2) + p_(3) + ...``, so that samples stay apart of which the margin
    would round to 1.

    Args:
        layer: the last layer's view of the n samples of a class, of which only the logits count.
        budget: how many samples to choose.
        generator: not used.

    >>> logits = torch.tensor([[2.0, 1.0, -9.0], [2.0, 1.5, 1.4]])
    >>> margin(LastLayer(torch.zeros(2, 1), logits, torch.tensor([0, 0])), 1, torch.Generator()).indices
    tensor([1])
    """
    others = _sorted_probabilities(layer)[:, 1:]
    return best(others.sum(dim=1) + others[:, :1].sum(dim=1), budget)


@checked(budget="[0, n]", error_norms="n")
def el2n(layer: LastLayer, budget: int, generator: torch.Generator, *, error_norms: Tensor) -> Coreset:
    """Largest error norm ``||p - y||_2`` early in training first (Paul et al., NeurIPS 2021, definition 2.2).

    Args:
        layer: not used: the scores come from other networks.
        budget: how many samples to choose.
        generator: not used.
        error_norms: mean over several networks of ``||p - y||_2``, ``(n,)``.

    >>> layer = LastLayer(torch.zeros(2, 1), torch.zeros(2, 2), torch.tensor([0, 0]))
    >>> el2n(layer, 1, torch.Generator(), error_norms=torch.tensor([0.2, 0.7])).indices
    tensor([1])
    """
    return best(error_norms, budget)


@checked(budget="[0, n]", gradient_norms="n")
def grand(layer: LastLayer, budget: int, generator: torch.Generator, *, gradient_norms: Tensor) -> Coreset:
    """Largest gradient norm ``||g||_2`` early in training first (Paul et al., NeurIPS 2021, definition 2.1).

    Args:
        layer: not used: the scores come from other networks.
        budget: how many samples to choose.
        generator: not used.
        gradient_norms: mean over several networks of the norm of one sample's loss gradient, ``(n,)``.

    >>> layer = LastLayer(torch.zeros(2, 1), torch.zeros(2, 2), torch.tensor([0, 0]))
    >>> grand(layer, 1, torch.Generator(), gradient_norms=torch.tensor([0.2, 0.7])).indices
    tensor([1])
    """
    return best(gradient_norms, budget)


@checked(budget="[0, n]", forgetting_events="n")
def forgetting(layer: LastLayer, budget: int, generator: torch.Generator, *, forgetting_events: Tensor) -> Coreset:
    """Largest number of forgetting events first (Toneva et al., ICLR 2019, Sec. 3).

    Most images are never forgotten, or equally often: among them the order of the file decides.

    Args:
        layer: not used: the events were counted while the network was trained.
        budget: how many samples to choose.
        generator: not used.
        forgetting_events: how often each sample was right and then wrong, ``(n,)``; largest for those never right.

    >>> layer = LastLayer(torch.zeros(3, 1), torch.zeros(3, 2), torch.tensor([0, 0, 0]))
    >>> forgetting(layer, 2, torch.Generator(), forgetting_events=torch.tensor([1.0, 0.0, 1.0])).indices
    tensor([0, 2])
    """
    return best(forgetting_events, budget)


@checked(budget="[0, n]", boundary_distances="any n")
def deepfool(layer: LastLayer, budget: int, generator: torch.Generator, *, boundary_distances: Tensor) -> Coreset:
    """Smallest distance to the decision boundary first (Ducoffe & Precioso 2018).

    Args:
        layer: not used: the distances are those of whole images.
        budget: how many samples to choose.
        generator: not used.
        boundary_distances: each sample's distance to the decision boundary in the input space, ``(n,)``, see
            `lcmat.curvature.deepfool_distances`.

    >>> layer = LastLayer(torch.zeros(2, 1), torch.zeros(2, 2), torch.tensor([0, 0]))
    >>> deepfool(layer, 1, torch.Generator(), boundary_distances=torch.tensor([0.2, 0.1])).indices
    tensor([1])
    """
    return best(-boundary_distances, budget)


def _sorted_probabilities(layer: LastLayer) -> Tensor:
    """The class probabilities of each sample, ``(n, c)``, largest first."""
    return layer.logits.softmax(dim=1).sort(dim=1, descending=True).values
