"""Rows of a Gram matrix: one by one and all at once they are the same."""

import pytest
import torch

from lcmat.numerics import gram
from lcmat.numerics.gram import gram_rows


@pytest.mark.parametrize("count", [0, 1, 50])
@pytest.mark.parametrize("largest", [10, 1000])
def test_rows_are_inner_products(monkeypatch, count, largest):
    monkeypatch.setattr(gram, "LARGEST_MATRIX", largest)
    vectors = torch.randn(50, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    row = gram_rows(vectors, count)
    for j in (0, 17, 49):
        expected = [sum(float(a * b) for a, b in zip(x, vectors[j], strict=True)) for x in vectors]
        torch.testing.assert_close(row(j), torch.tensor(expected, dtype=torch.float64), rtol=1e-12, atol=1e-12)


def test_the_matrix_is_made_where_it_pays_and_fits(monkeypatch):
    vectors = torch.ones(64, 2)
    shares = {count: gram_rows(vectors, count)(0).untyped_storage().nbytes() == 64 * 64 * 4 for count in (3, 4, 64)}
    assert shares == {3: False, 4: True, 64: True}
    monkeypatch.setattr(gram, "LARGEST_MATRIX", 63)
    assert gram_rows(vectors, 64)(0).untyped_storage().nbytes() == 64 * 4
