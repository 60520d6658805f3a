"""DeepFool: how far an input has to be moved, in Euclidean norm, until a classifier changes its mind."""

from collections.abc import Callable

import torch
from torch import Tensor

from lcmat.config.annotations import described
from lcmat.config.arguments import checked

OVERSHOOT = 0.02


@checked(inputs="n _ ...", max_iterations="[0, inf)", overshoot="[0, inf)")
def deepfool_distances(
    classifier: Callable[[Tensor], Tensor], inputs: Tensor, *, max_iterations: int = 50, overshoot: float = OVERSHOOT
) -> Tensor:
    """Norms of the perturbations that DeepFool finds (Moosavi-Dezfooli et al. 2016, Algorithm 2).

    Until the predicted class k changes, the classifier is linearised and the input moved onto the nearest of the
    linearised boundaries between k and another class l (with w the gradients of f)::

        l = argmin |f_l - f_k| / ||w_l - w_k||        r = |f_l - f_k| / ||w_l - w_k||^2 (w_l - w_k)

    The distance is the norm of the sum of the steps r, without the overshoot that carries the input across: exact for
    an affine classifier.  The class is the predicted one, right or wrong.

    Args:
        classifier: inputs ``(n, ...)`` to logits ``(n, c)``, each row a function of its own input alone (evaluation
            mode) and differentiable.
        inputs: ``(n, ...)``.
        max_iterations: steps after which the search ends with the distance so far.
        overshoot: the input is moved by ``1 + overshoot`` times the sum of the steps.

    Returns:
        ``(n,)``; infinite where no other class can be approached (fewer than two classes, or zero gradients), which
        `lcmat.select` refuses: give it a large number in their place.

    >>> deepfool_distances(lambda x: torch.cat([x, -x], dim=1), torch.tensor([[0.5], [-2.0]]))
    tensor([0.5000, 2.0000])
    """
    classifier = _verified(classifier)
    with torch.no_grad():
        original = classifier(inputs).argmax(dim=1)
    total, stuck = torch.zeros_like(inputs), torch.zeros(len(inputs), dtype=torch.bool, device=inputs.device)
    active = torch.arange(len(inputs), device=inputs.device)
    for _ in range(max_iterations):
        logits, gradients = _linearised(classifier, inputs[active] + (1 + overshoot) * total[active])
        same = logits.argmax(dim=1) == original[active]
        active, steps = active[same], _steps(logits[same], gradients[same], original[active[same]])
        movable = steps.flatten(1).isfinite().all(dim=1)
        stuck[active[~movable]] = True
        active = active[movable]
        if len(active) == 0:
            break
        total[active] += steps[movable]
    distances: Tensor = total.flatten(1).norm(dim=1).masked_fill(stuck, torch.inf)
    return distances


def _verified(classifier: Callable[[Tensor], Tensor]) -> Callable[[Tensor], Tensor]:
    """The classifier, whose outputs are seen to be logits, a row for each input."""

    def logits(inputs: Tensor) -> Tensor:
        outputs: object = classifier(inputs)
        if not isinstance(outputs, Tensor) or outputs.ndim != 2 or len(outputs) != len(inputs) or not outputs.shape[1]:
            raise ValueError(f"classifier must put out logits ({len(inputs)}, c), put out {described(outputs)}")
        return outputs

    return logits


def _linearised(classifier: Callable[[Tensor], Tensor], inputs: Tensor) -> tuple[Tensor, Tensor]:
    """Logits ``(n, c)`` and their gradients in the inputs ``(n, c, ...)``."""
    inputs = inputs.detach().requires_grad_()
    with torch.enable_grad():
        logits = classifier(inputs)
        gradients = [torch.autograd.grad(column.sum(), inputs, retain_graph=True)[0] for column in logits.unbind(1)]
    return logits.detach(), torch.stack(gradients, dim=1)


def _steps(logits: Tensor, gradients: Tensor, classes: Tensor) -> Tensor:
    """The step onto the nearest linearised boundary ``(n, ...)``; NaN or infinite where there is none."""
    rows = torch.arange(len(classes), device=classes.device)
    gaps = (logits - logits[rows, classes][:, None]).abs()
    directions = gradients - gradients[rows, classes][:, None]
    norms: Tensor = directions.flatten(2).norm(dim=2)
    ratios = torch.where(norms > 0, gaps / norms, torch.inf)
    ratios[rows, classes] = torch.inf
    nearest = ratios.argmin(dim=1)
    scale = ratios[rows, nearest] / norms[rows, nearest]
    return scale.reshape(-1, *[1] * (directions.ndim - 2)) * directions[rows, nearest]
