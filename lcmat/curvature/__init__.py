"""Closed forms of the last layer: per-sample gradients, Hessian diagonals, distances between them, moments."""

from lcmat.curvature.boundary import deepfool_distances
from lcmat.curvature.distances import (
    gradient_distance_blocks,
    gradient_distances,
    hessian_distance_blocks,
    hessian_distances,
    outer_product_distance_blocks,
)
from lcmat.curvature.exact_distances import (
    frobenius_hessian_distances,
    largest_diagonal_distances,
    spectral_hessian_distance_blocks,
    spectral_hessian_distances,
)
from lcmat.curvature.last_layer import (
    LastLayer,
    augmented_features,
    bernoulli_variances,
    hessian_diagonal_columns,
    hessian_diagonals,
    per_sample_gradients,
    residuals,
    top_variance_dimensions,
)
from lcmat.curvature.moments import gradient_variance, mean_gradient, mean_hessian_diagonal, second_moment

__all__ = [
    "LastLayer",
    "augmented_features",
    "bernoulli_variances",
    "deepfool_distances",
    "frobenius_hessian_distances",
    "gradient_distance_blocks",
    "gradient_distances",
    "gradient_variance",
    "hessian_diagonal_columns",
    "hessian_diagonals",
    "hessian_distance_blocks",
    "hessian_distances",
    "largest_diagonal_distances",
    "mean_gradient",
    "mean_hessian_diagonal",
    "outer_product_distance_blocks",
    "per_sample_gradients",
    "residuals",
    "second_moment",
    "spectral_hessian_distance_blocks",
    "spectral_hessian_distances",
    "top_variance_dimensions",
]
