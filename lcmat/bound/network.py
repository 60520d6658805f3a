r"""Hessian-vector products of a whole network, for the questions that leave the last layer."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from lcmat.bound.spectrum import Product
from lcmat.config.arguments import checked


@checked(loss="any", parameters="any ...")
def network_hessian_product(loss: Tensor, parameters: Sequence[Tensor]) -> Product:
    r"""Product :math:`v \mapsto \nabla^2 L\, v` by differentiating :math:`\nabla L^\top v`: reverse over reverse.

    Forward over reverse through `torch.func.jacrev` is wrong for batch and instance norm in training mode, so it is not
    used; networks should be in evaluation mode and in float64.

    Args:
        loss: scalar already computed from the parameters, for example a difference of two mean losses.
        parameters: the p-dimensional point, in the order in which the flat vectors are cut.

    Returns:
        The operator (p,) -> (p,), which keeps the graph of the gradient alive.

    >>> x = torch.tensor([2.0, 1.0], dtype=torch.float64, requires_grad=True)
    >>> product = network_hessian_product(x[0] ** 2 * x[1], [x])
    >>> product(torch.tensor([1.0, 0.0]).double()).tolist()   # d2/dx0 dx0 = 2 x1, d2/dx0 dx1 = 2 x0
    [2.0, 4.0]
    """
    try:
        gradient = _flatten(torch.autograd.grad(loss, parameters, create_graph=True))
    except RuntimeError as error:
        raise ValueError(f"loss must be computed from all the parameters: {error}") from error

    def product(vector: Tensor) -> Tensor:
        return _flatten(
            torch.autograd.grad(gradient @ vector, parameters, retain_graph=True, materialize_grads=True)
        ).detach()

    return product if gradient.requires_grad else torch.zeros_like


def _flatten(tensors: Sequence[Tensor]) -> Tensor:
    return torch.cat([tensor.reshape(-1) for tensor in tensors])
