import pytest
import torch

from lcmat.curvature import augmented_features, spectral_hessian_distance_blocks
from lcmat.selection import select


@pytest.fixture
def samples():
    generator = torch.Generator().manual_seed(0)
    draw = lambda *shape: torch.randn(*shape, generator=generator, dtype=torch.float64)  # noqa: E731
    return draw(7, 3), 3 * draw(7, 4)


def dense_hessian(features, logits):
    weights = torch.zeros(logits.numel(), len(features) + 1, dtype=torch.float64)
    inputs = torch.cat([features, torch.ones(1).double()])
    loss = lambda w: -torch.log_softmax(logits + w @ inputs, dim=0)[0]  # noqa: E731
    return torch.autograd.functional.hessian(loss, weights).reshape(weights.numel(), -1)


def test_distances_are_spectral_norms_of_dense_hessian_differences(samples):
    features, logits = samples
    hessians = [dense_hessian(*sample) for sample in zip(features, logits, strict=True)]
    expected = torch.tensor([[torch.linalg.matrix_norm(a - b, 2) for b in hessians] for a in hessians]).double()
    torch.testing.assert_close(
        spectral_hessian_distance_blocks(features, logits)(slice(0, 7), slice(0, 7)), expected, rtol=1e-10, atol=1e-10
    )


def test_parallel_features_are_no_trouble(samples):
    _, logits = samples
    features = torch.ones(7, 3).double()
    blocks = spectral_hessian_distance_blocks(features, logits)(slice(0, 7), slice(0, 7))
    squared = float(augmented_features(features)[0].square().sum())
    p = logits.softmax(dim=1)
    covariance = torch.diag_embed(p) - p[:, :, None] * p[:, None, :]
    expected = squared * torch.linalg.matrix_norm(covariance[:, None] - covariance[None], 2)
    torch.testing.assert_close(blocks, expected)


def test_a_sample_without_features_or_bias_is_at_the_norm_of_the_other_hessian(samples):
    features, logits = samples
    features[2] = 0
    p = logits.softmax(dim=1)
    covariance = torch.diag_embed(p) - p[:, :, None] * p[:, None, :]
    expected = features.square().sum(dim=1) * torch.linalg.matrix_norm(covariance, 2)
    distances = spectral_hessian_distance_blocks(features, logits, bias=False)(slice(0, 7), slice(0, 7))
    torch.testing.assert_close(distances[2], expected)
    torch.testing.assert_close(distances[:, 2], expected)


def test_rho_zero_is_lcmat_s_and_a_negative_one_is_refused(samples):
    features, logits = samples
    labels = torch.zeros(7, dtype=torch.int64)
    spectral, diagonal = (
        select(method, features, logits, labels, size=4, rho=0.0) for method in ("lcmat-s-spectral", "lcmat-s")
    )
    assert spectral.indices.tolist() == diagonal.indices.tolist()
    with pytest.raises(ValueError, match="rho must be a finite number >= 0"):
        select("lcmat-s-spectral", features, logits, labels, size=4, rho=-1.0)
