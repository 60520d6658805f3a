"""What the speed benchmark compares with is right, so that "the same picks" means something."""

import mmap

import pytest
import torch

from lcmat.curvature import hessian_diagonals, per_sample_gradients
from lcmat.numerics.submodular import facility_location
from lcmat.records import memory
from lcmat.speed import measuring, peers, selection_speed
from lcmat.speed.inputs import random_class, structured_class
from lcmat.speed.naive import naive_distances, naive_greedy, naive_herding, naive_k_center, naive_pursuit
from tests.test_selection import dense_lcmat_distances
from tests.test_submodular import naive_greedy as plain_greedy

COSTS = {"seconds", "processor_seconds", "peak_mb"}


def distances_of(n, seed=0):
    points = torch.rand(n, 2, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return torch.cdist(points, points, compute_mode="donot_use_mm_for_euclid_dist")


def test_naive_distances_are_equation_10():
    sample = random_class(samples=15, features=4, classes=3, seed=0)
    expected = dense_lcmat_distances(*sample, rho=0.5, top_k=6)
    torch.testing.assert_close(naive_distances(*sample, rho=0.5, top_k=6), expected, rtol=1e-7, atol=1e-7)


def test_naive_greedy_is_the_plain_one():
    assert naive_greedy(distances_of(30), 12) == plain_greedy(distances_of(30), 12)[0]


def test_naive_k_center_takes_the_farthest_sample():
    line = torch.tensor([[0.0], [1.0], [4.0], [10.0]], dtype=torch.float64)
    assert naive_k_center(line, 4, first=0) == [0, 3, 2, 1]


def test_naive_herding_takes_what_brings_the_mean_nearest():
    line = torch.tensor([[0.0], [1.0], [3.0], [12.0]], dtype=torch.float64)  # mean 4; then 3 + 1, then 3 + 1 + 12
    assert naive_herding(line, 2) == [2, 1]
    assert naive_herding(line, 3) == [2, 1, 3]


@pytest.mark.parametrize("least_squares", [False, True])
def test_naive_pursuit_matches_the_sum(least_squares):
    gradients = torch.tensor([[3.0, 0.0], [0.0, 1.0], [2.0, 0.0]], dtype=torch.float64)
    # the sum is (5, 1): column 0 takes the first coordinate, column 1 the second
    assert naive_pursuit(gradients, 2, ridge=0.0, least_squares=least_squares) == [0, 1]


@pytest.mark.parametrize("inputs", [random_class, structured_class])
def test_inputs_look_like_a_class_behind_a_relu(inputs):
    features, logits, labels = inputs(50, 7, 3, seed=1)
    assert (features.shape, logits.shape, labels.shape) == ((50, 7), (50, 3), (50,))
    assert (features >= 0).all() and (features == 0).any()
    assert not torch.equal(features, inputs(50, 7, 3, seed=2).features)


SIZE = 64 * 2**20


def mapped():
    """New pages of the system's; an allocator might take freed memory."""
    block = mmap.mmap(-1, SIZE)
    for page in range(0, SIZE, mmap.PAGESIZE):
        block[page] = 1
    return block


def test_costs_state_time_and_memory():
    result, costs = measuring.cost(mapped)
    assert len(result) == SIZE
    assert set(costs) == COSTS
    assert costs["seconds"] > 0
    assert costs["peak_mb"] > 50 or not memory._STATUS.exists()


def test_packages_that_are_missing_have_no_version():
    versions = measuring.environment("numpy", "no-such-package")["versions"]
    assert versions["numpy"] and versions["no-such-package"] is None
    assert not peers.installed("no_such_module")


@pytest.mark.parametrize("peer", peers.FACILITY_LOCATION)
def test_peers_choose_the_same_samples(peer):
    pytest.importorskip(peer)
    distances = distances_of(40)
    threads = torch.get_num_threads()
    indices = peers.FACILITY_LOCATION[peer]((distances.max() - distances).numpy(), 6)
    assert indices == facility_location(distances, 6).indices.tolist()
    assert torch.get_num_threads() == threads


def test_other_libraries_compute_the_same_parts():
    values = torch.rand(5, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    torch.testing.assert_close(torch.from_numpy(peers.manhattan(values)), torch.cdist(values, values, p=1))
    pytest.importorskip("backpack")
    labels, logits = torch.tensor([0, 1, 0, 1, 1]), torch.zeros(5, 2, dtype=torch.float64)
    gradients, diagonals = peers.backpack(values, labels, 2)
    torch.testing.assert_close(gradients, per_sample_gradients(values, logits, labels)[:, :, :-1])
    torch.testing.assert_close(diagonals, hessian_diagonals(values, logits)[:, :, :-1])


@pytest.mark.slow
def test_sections_report_the_same_picks_and_all_costs():
    whole = selection_speed.whole_data_set(60, 8, 3, 0.2)
    assert whole["same_picks"] and whole["relative_difference_of_distances"] < 1e-7
    for ties in (True, False):
        (entry,) = selection_speed.greedy_choices(60, (9,), naive_budgets=(9,), ties=ties)
        assert entry["others"]["naive"]["same_picks"] == 1
        assert entry["others"]["naive"]["relative_difference_of_objectives"] == 0
    for entry in selection_speed.one_by_one(60, 7, 5):
        assert entry["same_picks"] == 1
        assert set(entry["ours"]) == set(entry["naive"]) == COSTS


@pytest.mark.slow
def test_every_method_without_evidence_is_measured():
    measured = selection_speed.each_method([(30, 3, 6)])
    assert {"lcmat-s", "craig", "k-center"} <= {entry["method"] for entry in measured}
    assert [entry["samples"] for entry in selection_speed.one_group((20, 40), 0.2)] == [20, 40]
