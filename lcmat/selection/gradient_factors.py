"""Left factors of last-layer gradients, as the methods define them and as the official baselines compute them."""

import torch
from torch import Tensor
from torch.nn import functional

from lcmat.config.arguments import checked
from lcmat.curvature.last_layer import residuals, scale_rows
from lcmat.selection.official import LossReduction, loss_scales


@checked(logits="n c++", labels="int<c n")
def gradient_factors(
    logits: Tensor, labels: Tensor, *, double_softmax: bool = False, loss_reduction: LossReduction | None = None
) -> Tensor:
    """The vectors ``r_i`` of the last layer's per-sample gradients ``r_i [h_i; 1]^T``.

    They are the gradients in the logits, ``p - y`` for the cross-entropy.

    Args:
        logits: outputs of the last linear layer, ``(n, c)``.
        labels: class numbers, int64 ``(n,)``.
        double_softmax: differentiate the official baselines' loss instead, see `double_softmax_residuals`.
        loss_reduction: ``"mean-per-batch"`` scales as the official code does, see `lcmat.selection.official`.

    Returns:
        ``(n, c)``; one sample's loss each, no reduction.

    >>> gradient_factors(torch.zeros(1, 2), torch.tensor([1]))
    tensor([[ 0.5000, -0.5000]])
    """
    factors = double_softmax_residuals(logits, labels) if double_softmax else residuals(logits, labels)
    return scale_rows(factors, loss_scales(len(labels), loss_reduction, like=logits))


@checked(logits="n c++", labels="int<c n")
def double_softmax_residuals(logits: Tensor, labels: Tensor) -> Tensor:
    """Gradients in the logits of the cross-entropy of ``softmax(softmax(logits))``: ``J (softmax(p) - y)``.

    With ``J = diag(p) - p p^T``.  The official code of Craig, GradMatch, Glister and the submodular functions gives
    probabilities to a loss that expects logits.  J makes the gradient vanish wherever the network is confident, also
    where it is wrong.

    Args:
        logits: outputs of the last linear layer, ``(n, c)``.
        labels: class numbers, int64 ``(n,)``.

    Returns:
        ``(n, c)``; one sample's loss each, no reduction.

    >>> double_softmax_residuals(torch.zeros(1, 2), torch.tensor([1]))
    tensor([[ 0.2500, -0.2500]])
    """
    probabilities = logits.softmax(dim=1)
    inner = probabilities.softmax(dim=1) - functional.one_hot(labels, logits.shape[1]).to(logits.dtype)
    return probabilities * (inner - (probabilities * inner).sum(dim=1, keepdim=True))


@checked(factors="n c", features="n d")
def mean_gradient(factors: Tensor, features: Tensor, *, bias: bool = True) -> Tensor:
    """The mean of the gradients ``r_i [h_i; 1]^T``.

    Args:
        factors: the vectors ``r_i``, ``(n, c)``.
        features: the ``h_i``, ``(n, d)``.
        bias: whether the last layer has one.

    Returns:
        ``(c, d + 1)``, the bias last; ``(c, d)`` for a layer without bias; a mean over the samples.

    Raises:
        ValueError: there are no samples.

    >>> mean_gradient(torch.tensor([[1.0, -1.0], [0.0, 0.0]]), torch.tensor([[2.0], [5.0]]))
    tensor([[ 1.0000,  0.5000],
            [-1.0000, -0.5000]])
    """
    if len(factors) == 0:
        raise ValueError("the mean gradient of no samples: each class needs samples to match, also in validation")
    weights = factors.T @ features
    total = torch.cat([weights, factors.sum(dim=0)[:, None]], dim=1) if bias else weights
    return total / len(factors)


@checked(gradient="c e", factors="n c", features="n d")
def products_with(gradient: Tensor, factors: Tensor, features: Tensor) -> Tensor:
    """Inner products of the gradients ``r_i [h_i; 1]^T`` with one gradient.

    Args:
        gradient: the other factor of each product, ``(c, d + 1)`` with the bias last, or ``(c, d)`` without.
        factors: the vectors ``r_i``, ``(n, c)``.
        features: the ``h_i``, ``(n, d)``.

    Returns:
        ``(n,)``; one sample each, no reduction.

    >>> products_with(torch.ones(2, 2), torch.tensor([[1.0, 3.0]]), torch.tensor([[4.0]]))
    tensor([20.])
    """
    return logit_changes(gradient, features).mul(factors).sum(dim=1)


@checked(step="c e", features="n d")
def logit_changes(step: Tensor, features: Tensor) -> Tensor:
    """Changes of the logits that a step of the last layer's parameters makes.

    Args:
        step: of the layer's parameters, ``(c, d + 1)`` with the bias last, or ``(c, d)`` without.
        features: the ``h_i``, ``(n, d)``.

    Returns:
        ``(n, c)``, to be added to the logits.

    >>> logit_changes(torch.tensor([[2.0, 1.0]]), torch.tensor([[4.0]]))
    tensor([[9.]])
    """
    d = features.shape[1]
    if step.shape[1] not in (d, d + 1):
        raise ValueError(f"the step must be (c, d + 1) or (c, d) with d = {d} features, got {tuple(step.shape)}")
    changes = features @ step[:, :d].T
    return changes if step.shape[1] == d else changes + step[:, -1]
