"""Closed forms of the last layer: per-sample gradients, Hessian diagonals, distances between them, moments."""

from lcmat.curvature.last_layer import (
    LastLayer,
    gradient_distances,
    hessian_diagonals,
    hessian_distances,
    per_sample_gradients,
    top_variance_dimensions,
)

__all__ = [
    "LastLayer",
    "gradient_distances",
    "hessian_diagonals",
    "hessian_distances",
    "per_sample_gradients",
    "top_variance_dimensions",
]
