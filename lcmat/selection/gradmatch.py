"""GradMatch: a weighted subset whose gradients add up to those of the class, by orthogonal matching pursuit."""

import torch
from torch import Tensor

from lcmat.config.arguments import checked
from lcmat.curvature.last_layer import LastLayer, augmented_features
from lcmat.numerics.omp import orthogonal_matching_pursuit
from lcmat.selection.coreset import Coreset
from lcmat.selection.gradient_factors import gradient_factors, mean_gradient, products_with
from lcmat.selection.official import LossReduction, OfficialWeights


@checked(budget="[0, n]", ridge="[0, inf)")
def gradmatch(
    layer: LastLayer,
    budget: int,
    generator: torch.Generator,
    *,
    ridge: float = 0.5,
    double_softmax: bool = False,
    loss_reduction: LossReduction | None = None,
    official_weights: OfficialWeights | None = None,
    bias: bool = True,
) -> Coreset:
    """GradMatch on last-layer gradients (Killamsetty et al., ICML 2021, Algorithm 2, per class).

    Minimises ``|sum_j w_j g_j - sum_i g_i|^2 + ridge |w|^2`` over subsets of the size of the budget and their weights.
    It is `gradmatch_val` with the samples themselves for validation.

    The official code is ``ridge=1.0``, ``double_softmax=True`` and ``loss_reduction="mean-per-batch"``: next to squared
    gradients divided by 128^2 such a ridge is so large that the residual hardly moves and the choice is the top of one
    inner product.  (The official code also leaves the ridge out of the first regression, and drops samples without a
    weight, so that its coreset is smaller than the budget.)

    Args:
        layer: the last layer's view of the n samples of a class.
        budget: how many samples to choose; it is met also beyond the rank of the gradients, see `lcmat.numerics.omp`.
        generator: not used: the choice is deterministic.
        ridge: weight of the squared weights, in the unit of squared gradients; 0.5 as in the authors' configurations.
        double_softmax: the official baselines' loss, see `lcmat.selection.gradient_factors`.
        loss_reduction: ``"mean-per-batch"`` scales as the official code does, see `lcmat.selection.official`.
        official_weights: the regression's, as they are, see `match`.
        bias: whether the last layer has one.

    Returns:
        Indices in the order of the pursuit; the pursuit's non-negative weights as `match` completes them; gains in the
        unit of squared gradients.
    """
    return gradmatch_val(
        layer,
        budget,
        generator,
        validation=layer,
        ridge=ridge,
        double_softmax=double_softmax,
        loss_reduction=loss_reduction,
        official_weights=official_weights,
        bias=bias,
    )


@checked(budget="[0, n]", validation="m", ridge="[0, inf)")
def gradmatch_val(
    layer: LastLayer,
    budget: int,
    generator: torch.Generator,
    *,
    validation: LastLayer,
    ridge: float = 0.5,
    double_softmax: bool = False,
    loss_reduction: LossReduction | None = None,
    official_weights: OfficialWeights | None = None,
    bias: bool = True,
) -> Coreset:
    """GradMatch whose target is the mean gradient of validation samples (Killamsetty et al., ICML 2021, ``L = L_V``).

    Args:
        layer: the last layer's view of the n samples of a class.
        budget: how many samples to choose.
        generator: not used: the choice is deterministic.
        validation: samples of the same class that are neither test nor candidates: a part held out from the training
            set.
        ridge: weight of the squared weights, in the unit of squared gradients.
        double_softmax: the official baselines' loss, of both sets; see `lcmat.selection.gradient_factors`.
        loss_reduction: ``"mean-per-batch"`` scales both sets as the official code does, see `lcmat.selection.official`.
        official_weights: the regression's, as they are, see `match`.
        bias: whether the last layer has one.

    Returns:
        Indices, weights and gains as those of `gradmatch`, towards n times the mean gradient of the validation samples.

    Raises:
        ValueError: no validation sample is of this class.
    """
    factors, held_out = (
        gradient_factors(part.logits, part.labels, double_softmax=double_softmax, loss_reduction=loss_reduction)
        for part in (layer, validation)
    )
    target, raw = mean_gradient(held_out, validation.features, bias=bias), official_weights is not None
    return match(target, factors, layer.features, budget, ridge=ridge, raw=raw)


@checked(target="c e", factors="n+ c", features="n d", budget="[0, n]", ridge="[0, inf)")
def match(
    target: Tensor, factors: Tensor, features: Tensor, budget: int, *, ridge: float, raw: bool = False
) -> Coreset:
    """Match n times a mean gradient by a weighted sum of samples' gradients ``r_i [h_i; 1]^T``.

    A chosen sample for which no positive weight is of use stands for itself alone: its weight is 1, as that of the
    samples with which the authors' code fills up a budget.  All are then scaled to the sum n, as every method's weights
    are: training divides by their sum anyway, but the match of the gradients is lost unless their sum was n before.

    Args:
        target: mean gradient, ``(c, d + 1)``, or ``(c, d)`` for a layer without bias.
        factors: the vectors ``r_i``, ``(n, c)``.
        features: the ``h_i``, ``(n, d)``.
        budget: how many samples to choose.
        ridge: weight of the squared weights.
        raw: leave the regression's weights as they are: none for a sample without a positive weight, and each class on
            a scale of its own, as the official code trains with.

    Returns:
        Indices in the order of the pursuit; weights that sum to n, unless raw; gains in the unit of squared gradients.

    >>> factors, features = torch.tensor([[3.0], [1.0]]), torch.zeros(2, 1)
    >>> match(torch.tensor([[0.0, 2.0]]), factors, features, 1, ridge=0.0, raw=True).weights  # 4 = w 3
    tensor([1.3333], dtype=torch.float64)
    """
    augmented = augmented_features(features, bias=target.shape[1] > features.shape[1])
    squares = factors.square().sum(dim=1) * augmented.square().sum(dim=1)
    size = len(factors)

    def products(some: Tensor | slice, others: Tensor) -> Tensor:
        return (augmented[some] @ augmented[others].T).mul_(factors[some] @ factors[others].T)

    correlations = size * products_with(target, factors, features)
    indices, gains, weights = orthogonal_matching_pursuit(products, squares, correlations, budget, ridge=ridge)
    if raw:
        return Coreset(indices, weights.clamp(min=0), gains)
    weights = torch.where(weights > 0, weights, torch.ones_like(weights))
    return Coreset(indices, weights * (size / weights.sum()), gains)
