"""Orthogonal matching pursuit against dense regressions at every step, scikit-learn and brute force."""

import itertools
import math

import numpy as np
import pytest
import torch
from sklearn.linear_model import orthogonal_mp_gram

from lcmat.numerics.omp import orthogonal_matching_pursuit
from lcmat.numerics.ties import first_best


def random_problem(n=40, d=60, seed=0):
    rng = np.random.default_rng(seed)
    columns = rng.normal(size=(n, d)) * rng.uniform(0.5, 2, size=(n, 1))
    return columns, columns.sum(axis=0) + rng.normal(size=d)


def pursue(columns, target, budget, ridge=0.0):
    columns, target = torch.from_numpy(columns), torch.from_numpy(target)
    gram = columns @ columns.T
    return orthogonal_matching_pursuit(
        lambda some, others: gram[some][:, others], gram.diagonal(), columns @ target, budget, ridge=ridge
    )


def error(columns, target, chosen, weights, ridge):
    return np.sum((weights @ columns[chosen] - target) ** 2) + ridge * np.sum(weights**2)


def dense_pursuit(columns, target, budget, ridge):
    """Solve the ridge regression from scratch on the stacked system at every step."""
    chosen, errors, residual = [], [np.sum(target**2)], target
    for _ in range(budget):
        products = columns @ residual
        products[chosen] = -np.inf
        chosen.append(int(np.argmax(products)))
        stacked = np.vstack([columns[chosen].T, np.sqrt(ridge) * np.eye(len(chosen))])
        weights = np.linalg.lstsq(stacked, np.concatenate([target, np.zeros(len(chosen))]), rcond=None)[0]
        residual = target - weights @ columns[chosen]
        errors.append(error(columns, target, chosen, weights, ridge))
    return chosen, -np.diff(errors)


@pytest.mark.parametrize("ridge", [0.0, 0.5, 300.0])
@pytest.mark.parametrize("seed", range(5))
def test_choice_and_gains_equal_a_dense_regression_at_every_step(ridge, seed):
    columns, target = random_problem(seed=seed)
    pursuit = pursue(columns, target, 40, ridge)
    chosen, gains = dense_pursuit(columns, target, 40, ridge)
    assert pursuit.indices.tolist() == chosen
    np.testing.assert_allclose(pursuit.gains, gains, rtol=1e-7, atol=1e-9 * np.sum(target**2))


@pytest.mark.parametrize(("few", "ahead"), [(1, 1), (1, 16), (3, 2), (3, 16), (40, 1), (40, 7), (40, 100)])
@pytest.mark.parametrize("ridge", [0.0, 0.5])
def test_how_the_next_choices_are_foreseen_changes_nothing(few, ahead, ridge, monkeypatch):
    monkeypatch.setattr("lcmat.numerics.omp.FEW", few)
    monkeypatch.setattr("lcmat.numerics.omp.AHEAD", ahead)
    columns, target = random_problem()
    pursuit = pursue(columns, target, 40, ridge)
    chosen, gains = dense_pursuit(columns, target, 40, ridge)
    assert pursuit.indices.tolist() == chosen
    np.testing.assert_allclose(pursuit.gains, gains, rtol=1e-7, atol=1e-9 * np.sum(target**2))


def test_a_row_is_made_once_where_all_choices_are_foreseen():
    columns, target = random_problem()
    gram, made = torch.from_numpy(columns @ columns.T), []

    def products(some, others):
        made.extend(others.tolist() if isinstance(some, slice) else [])
        return gram[some][:, others]

    pursuit = orthogonal_matching_pursuit(products, gram.diagonal(), torch.from_numpy(columns @ target), 30, ridge=0.5)
    assert made == pursuit.indices.tolist()


@pytest.mark.parametrize("seed", range(5))
def test_with_both_signs_of_every_column_the_choice_is_that_of_scikit_learn(seed):
    """It takes the largest absolute product; with the negative columns on offer too, that is the largest product."""
    columns, target = random_problem(n=30, d=45, seed=seed)
    pursuit = pursue(np.vstack([columns, -columns]), target, 12)
    path = orthogonal_mp_gram(columns @ columns.T, columns @ target, n_nonzero_coefs=12, return_path=True)
    supports = [frozenset(np.flatnonzero(column)) for column in path.T]
    order = [next(iter(after - before)) for before, after in zip([frozenset(), *supports], supports, strict=False)]
    assert [index % 30 for index in pursuit.indices.tolist()] == order


def opposed_problem(seed):
    """Few columns, and a target that no non-negative combination reaches."""
    rng = np.random.default_rng(seed)
    return rng.normal(size=(7, 5)), rng.normal(size=5)


@pytest.mark.parametrize("ridge", [0.0, 2.0])
@pytest.mark.parametrize("seed", range(10))
def test_weights_are_the_best_non_negative_ones(ridge, seed):
    """Brute force over which weights are positive."""
    columns, target = opposed_problem(seed)
    pursuit = pursue(columns, target, 5, ridge)
    chosen, best = pursuit.indices.tolist(), np.inf
    for size in range(6):
        for support in itertools.combinations(chosen, size):
            gram = columns[list(support)] @ columns[list(support)].T + ridge * np.eye(size)
            weights = np.linalg.solve(gram, columns[list(support)] @ target)
            if (weights >= 0).all():
                best = min(best, error(columns, target, list(support), weights, ridge))
    assert (pursuit.weights >= 0).all()
    assert error(columns, target, chosen, pursuit.weights.numpy(), ridge) == pytest.approx(best, rel=1e-9)


def test_some_of_these_weights_are_zero():
    weights = torch.cat([pursue(*opposed_problem(seed), 5).weights for seed in range(10)])
    assert 0 < int((weights == 0).sum()) < 50


def test_beyond_the_rank_the_rest_follow_by_their_product_with_the_target():
    columns, target = random_problem(n=20, d=6)
    indices, gains, weights = pursue(columns, target, 20)
    assert sorted(indices.tolist()) == list(range(20))
    rest = indices[6:].tolist()
    assert rest == sorted(rest, key=lambda j: -float(columns[j] @ target))
    assert (gains[:6] > 0).all() and (gains[6:] == 0).all() and (weights[6:] == 0).all()
    assert gains.sum() == pytest.approx(np.sum(target**2))  # the columns span everything


def test_a_prefix_is_the_choice_of_a_smaller_budget():
    columns, target = random_problem()
    whole = pursue(columns, target, 40, 0.5).indices.tolist()
    assert all(pursue(columns, target, budget, 0.5).indices.tolist() == whole[:budget] for budget in (0, 1, 9, 40))


@pytest.mark.parametrize("ridge", [0.0, 0.5])
def test_equal_columns_come_one_after_another_or_last(ridge):
    columns, target = random_problem(n=10, d=15)
    indices = pursue(np.vstack([columns, columns]), target, 20, ridge).indices.tolist()
    assert sorted(indices) == list(range(20))
    assert all(indices.index(j) < indices.index(j + 10) for j in range(10))
    if ridge == 0:
        assert set(indices[:10]) == set(range(10))


@pytest.mark.parametrize("ridge", [0.0, 0.5])
def test_zeros_are_no_trouble(ridge):
    columns, target = random_problem(n=4, d=6)
    for some_columns, some_target in ((columns * 0, target), (columns, target * 0), (columns * 0, target * 0)):
        indices, gains, weights = pursue(some_columns, some_target, 4, ridge)
        assert indices.tolist() == [0, 1, 2, 3]
        assert gains.tolist() == weights.tolist() == [0.0] * 4


@pytest.mark.parametrize(
    ("budget", "ridge", "message"),
    [(5, 0.0, "budget"), (-1, 0.0, "budget"), (1, -1.0, "ridge"), (1, math.nan, "ridge"), (1, math.inf, "ridge")],
)
def test_wrong_arguments_are_named(budget, ridge, message):
    with pytest.raises(ValueError, match=message):
        pursue(*random_problem(n=4), budget, ridge)


def test_first_best_tells_ties_from_differences():
    everywhere = torch.ones(3, dtype=torch.bool)
    assert first_best(torch.tensor([1 - 1e-12, 1.0, 0.0], dtype=torch.float64), everywhere) == 0
    assert first_best(torch.tensor([1 - 1e-8, 1.0, 0.0], dtype=torch.float64), everywhere) == 1
    assert first_best(torch.tensor([-1 - 1e-12, -1.0, -2.0], dtype=torch.float64), everywhere) == 0
    assert first_best(torch.tensor([0.0, 1e-15, 0.0], dtype=torch.float64), everywhere, rounding=1e-14) == 0
    assert first_best(torch.tensor([9.0, 1.0, 1.0]), torch.tensor([False, True, True])) == 1
