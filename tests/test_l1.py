"""L1 distances in compiled code against the definition, and against torch where a derivative is needed."""

import pytest
import torch

from lcmat.numerics.l1 import l1_distances


def matrices(n, m, k, dtype=torch.float64):
    generator = torch.Generator().manual_seed(100 * n + 10 * m + k)
    return (torch.randn(rows, k, generator=generator, dtype=dtype) for rows in (n, m))


@pytest.mark.parametrize("k", [0, 1, 7, 8, 9, 16, 21])  # eight columns are read at a time
@pytest.mark.parametrize(("n", "m"), [(1, 1), (5, 3), (0, 2), (2, 0)])
def test_distances_are_sums_of_absolute_differences(n, m, k):
    left, right = matrices(n, m, k)
    expected = [[sum(abs(float(x - y)) for x, y in zip(a, b, strict=True)) for b in right] for a in left]
    result = l1_distances(left, right)
    assert result.shape == (n, m)
    torch.testing.assert_close(result, torch.tensor(expected, dtype=torch.float64).reshape(n, m), rtol=1e-14, atol=0)


def test_float32_stays_float32():
    left, right = matrices(4, 6, 11, torch.float32)
    result = l1_distances(left, right)
    assert result.dtype == torch.float32
    torch.testing.assert_close(result.double(), l1_distances(left.double(), right.double()), rtol=1e-6, atol=0)


def test_views_are_read_as_they_are():
    left, right = matrices(12, 10, 9)
    torch.testing.assert_close(
        l1_distances(left[::2, 1:], right.T[:8].T), torch.cdist(left[::2, 1:], right[:, :8], p=1)
    )


def test_what_needs_a_derivative_has_one():
    left, right = matrices(3, 4, 5)
    assert torch.autograd.gradcheck(lambda a, b: l1_distances(a, b), (left.requires_grad_(), right.requires_grad_()))
    with torch.no_grad():
        compiled = l1_distances(left, right)
    torch.testing.assert_close(compiled, l1_distances(left, right).detach(), rtol=1e-14, atol=0)
