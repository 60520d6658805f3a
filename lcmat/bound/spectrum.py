r"""Extreme eigenvalues of a symmetric operator known only through its products, by Lanczos."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from scipy.sparse.linalg import ArpackError, LinearOperator, eigsh
from torch import Tensor

from lcmat.bound.difference import LossDifference, hessian_product
from lcmat.config.annotations import described
from lcmat.config.arguments import checked
from lcmat.curvature.last_layer import bernoulli_variances

Product = Callable[[Tensor], Tensor]

RESIDUAL_TOLERANCE = 1e-8
SMALLEST_LANCZOS_SIZE = 64
ROUNDING = 64 * np.finfo(float).eps  # of a product, relative to the summands that cancel in it
LANCZOS_VECTORS = 40  # twice scipy's default: a shifted end sits in the cluster of the near-zero eigenvalues


class ConvergenceError(RuntimeError):
    """An iterative computation did not reach its accuracy, so its value must not be used."""


@dataclass(frozen=True, eq=False)
class Extremes:
    """Both ends of a spectrum.

    Attributes:
        largest: largest signed eigenvalue.
        smallest: smallest signed eigenvalue.
        top: (m,) unit eigenvector of `largest`.
        bottom: (m,) unit eigenvector of `smallest`.
        residual: larger of the two residual norms, relative to the spectral norm.
    """

    largest: float
    smallest: float
    top: Tensor
    bottom: Tensor
    residual: float

    @property
    def spectral_norm(self) -> float:
        r""":math:`\max(\lambda_{\max}, -\lambda_{\min})`, the operator norm of a symmetric matrix."""
        return max(self.largest, -self.smallest)


@checked()
def flat_hessian_product(difference: LossDifference) -> Product:
    """The Hessian-difference product as a map of flat vectors, (c (d+1),) -> (c (d+1),)."""
    return lambda vector: hessian_product(difference, vector.view(difference.shape)).flatten()


@checked()
def hessian_extremes(difference: LossDifference) -> Extremes:
    """Both extreme eigenpairs of the Hessian difference of the last layer; zeros where only rounding is left of it."""
    traces = bernoulli_variances(difference.logits).sum(dim=1) * difference.input_norms.square()
    rounding = ROUNDING * float(difference.coefficients.abs() @ traces)
    return extremes(flat_hessian_product(difference), difference.shape[0] * difference.shape[1], rounding=rounding)


@checked(size="[1, inf)", rounding="[0, inf)")
def extremes(product: Product, size: int, *, rounding: float = 0.0) -> Extremes:
    r"""Both extreme eigenpairs of a symmetric operator.

    The end of largest modulus comes first; the other end is the end of largest modulus of the operator shifted by the
    first, so that both converge relative to the spectral norm. Where that other end lies in a dense cluster, as for a
    large semi-definite operator, Lanczos may give up: :func:`largest_pair` does not need it.

    Args:
        product: the operator, (m,) float64 -> (m,) float64.
        size: dimension m.
        rounding: norm up to which the product with a unit vector is rounding of zero.

    Raises:
        ConvergenceError: Lanczos stopped early, or a residual exceeds 1e-8 times the spectral norm.

    >>> ends = extremes(lambda v: torch.tensor([3.0, 0.0, -5.0]).double() * v, 3)
    >>> round(ends.largest, 12), round(ends.smallest, 12), round(ends.spectral_norm, 12)
    (3.0, -5.0, 5.0)
    """
    product = _verified(product, size)
    start = _random_vector(size)
    if float(product(start).norm()) <= rounding * float(start.norm()):
        return Extremes(0.0, 0.0, start / start.norm(), start / start.norm(), 0.0)
    first = _farthest_pair(product, size)
    pairs = sorted([first, _opposite_pair(product, size, first[0])], key=lambda pair: pair[0])
    (smallest, bottom), (largest, top) = pairs
    residual = _relative_residual(product, max(largest, -smallest), pairs)
    return Extremes(largest, smallest, top, bottom, residual)


@checked(size="[1, inf)")
def largest_pair(product: Product, size: int) -> tuple[float, Tensor]:
    """The largest signed eigenvalue with its unit eigenvector, (m,); arguments and errors as in :func:`extremes`."""
    product = _verified(product, size)
    first = _farthest_pair(product, size)
    value, vector = first if first[0] >= 0 else _opposite_pair(product, size, first[0])
    _relative_residual(product, abs(first[0]), [(value, vector)])
    return value, vector


def _verified(product: Product, size: int) -> Product:
    """The operator, whose every product is seen to be a vector of the size."""

    def verified(vector: Tensor) -> Tensor:
        result: object = product(vector)
        if not isinstance(result, Tensor) or result.shape != (size,) or result.dtype != torch.float64:
            raise ValueError(f"product must take and give float64 vectors ({size},), gave {described(result)}")
        return result

    return verified


def _opposite_pair(product: Product, size: int, shift: float) -> tuple[float, Tensor]:
    """The end of the spectrum that is not `shift`."""
    value, vector = _farthest_pair(lambda point: product(point) - shift * point, size)
    return value + shift, vector


def _farthest_pair(product: Product, size: int) -> tuple[float, Tensor]:
    """The eigenpair of largest modulus."""
    if size < SMALLEST_LANCZOS_SIZE:
        values, vectors = torch.linalg.eigh(torch.stack([product(unit) for unit in torch.eye(size).double()]))
        end = int(values.abs().argmax())
        return float(values[end]), vectors[:, end].contiguous()
    start = _random_vector(size)
    if not float(product(start).norm()):
        return 0.0, start / start.norm()
    operator = LinearOperator((size, size), matvec=lambda v: product(torch.from_numpy(v.ravel())).numpy(), dtype=float)
    try:
        found, modes = eigsh(operator, k=1, which="LM", v0=start.numpy(), ncv=min(size, LANCZOS_VECTORS), tol=1e-10)
    except ArpackError as error:
        raise ConvergenceError(f"Lanczos did not converge on an operator of size {size}: {error}") from error
    return float(found[0]), torch.from_numpy(np.ascontiguousarray(modes[:, 0]))


def _random_vector(size: int) -> Tensor:
    """Always the same; it lies in the kernel of no operator but zero."""
    return torch.from_numpy(np.random.default_rng(0).standard_normal(size))


def _relative_residual(product: Product, scale: float, pairs: list[tuple[float, Tensor]]) -> float:
    errors = (float((product(vector) - value * vector).norm()) for value, vector in pairs)
    residual = max(errors) / max(scale, np.finfo(float).tiny)
    if not residual <= RESIDUAL_TOLERANCE:
        raise ConvergenceError(f"eigenvalue residual {residual:.1e} of the spectral norm; is the operator symmetric?")
    return residual
