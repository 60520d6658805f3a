"""Selection against a naive greedy on dense autograd quantities, and the contract every registered method keeps."""

import numpy as np
import pytest
import torch

from lcmat import METHODS, Coreset, select
from lcmat.curvature import LastLayer
from lcmat.files import checkpoints
from lcmat.files.checkpoints import CorruptArtifactError
from lcmat.selection.budgets import class_budgets
from lcmat.selection.lcmat_s import lcmat_distances
from tests.test_curvature import dense_by_autograd, random_samples
from tests.test_submodular import naive_greedy

every_method = pytest.mark.parametrize("method", METHODS)


def evidence_for(method, features, logits, labels):
    """Plausible evidence for these samples: what the method must be told beyond the last layer."""
    others = random_samples(n=60, d=features.shape[1], c=logits.shape[1], seed=7)
    numbers = torch.rand(len(labels), generator=torch.Generator().manual_seed(8), dtype=torch.float64)
    plausible = {
        "validation": LastLayer(*others[:2], torch.arange(60) % logits.shape[1]),
        "forgetting_events": (10 * numbers).floor(),
    }
    return {name: plausible.get(name, numbers) for name in METHODS[method].evidence}


def choose(method, *samples, **options):
    return select(method, *samples, **evidence_for(method, *samples), **options)


def dense_lcmat_distances(features, logits, labels, rho, top_k):
    """Equation 10 term by term from autograd's gradients and Hessians, no closed form and no factorisation."""
    gradients, diagonals = (part.flatten(1) for part in dense_by_autograd(features, logits, labels))
    dimensions = diagonals.var(dim=0).argsort(descending=True, stable=True)[:top_k]
    gradient_part = (gradients[:, None] - gradients).square().sum(-1).sqrt()
    hessian_part = (diagonals[:, None] - diagonals)[:, :, dimensions].abs().sum(-1)
    return gradient_part + rho / 2 * hessian_part


def naive_choice(sample, fraction, rho, top_k):
    """LCMat-S class by class: a greedy that evaluates every gain afresh, on those distances."""
    chosen = []
    for label in sample[2].unique():
        members = (sample[2] == label).nonzero().flatten()
        distances = dense_lcmat_distances(*(part[members] for part in sample), rho, top_k)
        chosen += members[naive_greedy(distances, round(fraction * len(members)))[0]].tolist()
    return chosen


@pytest.mark.parametrize("rho", [0.0, 0.01, 0.5, 3.0])
@pytest.mark.parametrize("seed", [0, 1])
def test_lcmat_s_equals_naive_greedy_on_dense_autograd_quantities(rho, seed):
    features, logits, labels = random_samples(n=60, d=6, c=3, seed=seed)
    coreset = select("lcmat-s", features, logits, labels, fraction=0.5, rho=rho, top_k=7)
    assert coreset.indices.tolist() == naive_choice((features, logits, labels), fraction=0.5, rho=rho, top_k=7)


def test_lcmat_s_weights_are_the_sizes_of_the_clusters():
    features, logits, labels = random_samples(n=40, c=2)
    coreset = select("lcmat-s", features, logits, labels, size=8)
    for label in (0, 1):
        members = (labels == label).nonzero().flatten()
        distances = dense_lcmat_distances(features[members], logits[members], labels[members], 0.1, 100)
        chosen = labels[coreset.indices] == label
        centres = [members.tolist().index(i) for i in coreset.indices[chosen].tolist()]
        nearest = [min(centres, key=lambda j, row=row: row[j]) for row in distances]
        assert coreset.weights[chosen].tolist() == [nearest.count(j) for j in centres]


def test_rho_zero_is_gradient_matching():
    features, logits, labels = random_samples(n=30, c=2)
    flat = dense_by_autograd(features, logits, labels)[0].flatten(1)
    expected = (flat[:, None] - flat).square().sum(-1).sqrt()
    torch.testing.assert_close(lcmat_distances(features, logits, labels, rho=0.0, top_k=5), expected)


@every_method
def test_each_class_gets_its_budget(method):
    features, logits, labels = random_samples(n=200, c=4)
    counts = torch.bincount(labels)
    for fraction in (0.05, 0.3, 1.0):
        coreset = choose(method, features, logits, labels, fraction=fraction)
        assert len(set(coreset.indices.tolist())) == len(coreset)
        expected = [round(fraction * int(count)) for count in counts]
        assert torch.bincount(labels[coreset.indices], minlength=4).tolist() == expected


@every_method
def test_budgets_none_one_all_and_too_many(method):
    features, logits, labels = random_samples(n=30, c=3)
    assert len(choose(method, features, logits, labels, size=0)) == 0
    assert len(choose(method, features, logits, labels, size=1)) == 1
    assert sorted(choose(method, features, logits, labels, size=30).indices.tolist()) == list(range(30))
    with pytest.raises(ValueError, match=r"size must lie in 0 \.\. 30"):
        choose(method, features, logits, labels, size=31)


@every_method
def test_weights_sum_to_the_number_of_samples(method):
    features, logits, labels = random_samples(n=90, c=3)
    coreset = choose(method, features, logits, labels, fraction=0.2)
    assert coreset.weights.sum().item() == pytest.approx(90)
    assert (coreset.weights > 0).all()


@every_method
def test_selection_is_a_function_of_its_arguments_and_leaves_global_state_alone(method):
    samples = random_samples(n=60, c=3)
    torch.manual_seed(1)
    before = torch.get_rng_state()
    first = choose(method, *samples, fraction=0.2, seed=5)
    assert torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(2)
    assert choose(method, *samples, fraction=0.2, seed=5).indices.tolist() == first.indices.tolist()


def degenerate_samples(kind):
    """Twelve samples of two classes of which something essential is missing."""
    features, logits, labels = random_samples(n=12, c=2)
    if kind == "equal":
        return features[:1].expand(12, -1), logits[:1].expand(12, -1), torch.arange(12) % 2
    if kind == "zero features":
        return features * 0, logits, labels
    if kind == "certain":
        return features, 1e4 * torch.nn.functional.one_hot(labels, 2).double(), labels
    if kind == "certain and wrong":
        return features, 1e4 * torch.nn.functional.one_hot(1 - labels, 2).double(), labels
    return features, logits, torch.ones_like(labels)  # one class only


@every_method
@pytest.mark.parametrize("kind", ["equal", "zero features", "certain", "certain and wrong", "one class"])
@pytest.mark.parametrize("size", [0, 1, 5, 12])
def test_degenerate_samples_are_no_trouble(method, kind, size):
    samples = degenerate_samples(kind)
    coreset = choose(method, *samples, size=size)
    assert len(set(coreset.indices.tolist())) == size
    assert coreset.weights.isfinite().all() and (coreset.weights >= 0).all()
    assert not coreset.gains.isinf().any()
    assert coreset.weights.sum().item() == pytest.approx(
        sum(torch.bincount(samples[2])[samples[2][coreset.indices].unique()])
    )


@every_method
def test_float32_inputs_are_chosen_from_in_float64(method):
    features, logits, labels = random_samples(n=60, c=3, dtype=torch.float32)
    single, double = (
        choose(method, *pair, labels, size=12).indices
        for pair in ((features, logits), (features.double(), logits.double()))
    )
    assert single.tolist() == double.tolist()


def test_uniform_depends_on_the_seed_and_lcmat_s_does_not():
    samples = random_samples(n=60, c=3)
    drawn = {tuple(select("uniform", *samples, fraction=0.2, seed=seed).indices.tolist()) for seed in range(5)}
    ranked = {tuple(select("lcmat-s", *samples, fraction=0.2, seed=seed).indices.tolist()) for seed in range(5)}
    assert (len(drawn), len(ranked)) == (5, 1)


def test_uniform_is_uniform():
    features, logits, labels = random_samples(n=10, c=2)
    counts = torch.zeros(10)
    for seed in range(2000):
        counts[select("uniform", features, logits, labels, size=3, seed=seed, balanced=False).indices] += 1
    # each sample is drawn 600 times on average, standard deviation sqrt(2000 * 0.3 * 0.7) = 20.5
    assert ((counts - 600).abs() < 5 * 20.5).all()


def test_permuting_the_samples_permutes_the_coreset_up_to_ties():
    """Two samples that would each cover the other gain exactly the same: such a tie is broken by position."""
    features, logits, labels = random_samples(n=50, c=2)
    order = torch.randperm(50, generator=torch.Generator().manual_seed(3))
    permuted = select("lcmat-s", features[order], logits[order], labels[order], fraction=0.2)
    original = select("lcmat-s", features, logits, labels, fraction=0.2)
    torch.testing.assert_close(permuted.gains, original.gains, rtol=1e-9, atol=0)
    moved = [(a, b) for a, b in zip(order[permuted.indices].tolist(), original.indices.tolist(), strict=True) if a != b]
    distances = lcmat_distances(features, logits, labels, rho=0.1, top_k=100)
    assert len(moved) <= 1
    assert all(distances[a].topk(2, largest=False).indices[1] == b for a, b in moved)


def test_duplicates_are_chosen_last():
    features, logits, labels = random_samples(n=20, c=2)
    doubled = [torch.cat([part, part]) for part in (features, logits, torch.zeros_like(labels))]
    coreset = select("lcmat-s", *doubled, size=40)
    assert {i % 20 for i in coreset.indices[:20].tolist()} == set(range(20))
    assert coreset.indices[:20].max() < 20  # of two equal samples the first is taken
    assert coreset.gains[20:].abs().max() < 1e-9


def test_numpy_and_float32_inputs_are_accepted():
    features, logits, labels = random_samples(n=40, c=2, dtype=torch.float32)
    expected = select("lcmat-s", features.double(), logits.double(), labels, size=6).indices.tolist()
    assert select("lcmat-s", features, logits, labels.int(), size=6).indices.tolist() == expected
    from_numpy = select("lcmat-s", features.numpy(), logits.numpy(), labels.numpy().astype(np.uint8), size=6)
    assert from_numpy.indices.tolist() == expected


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"method": "lcmat"}, "did you mean 'lcmat-s'"),
        ({"method": "quantum"}, "known: uniform, lcmat-s"),
        ({"roh": 0.1}, "did you mean 'rho'"),
        ({"rho": -0.1}, "rho must be a finite number >= 0"),
        ({"rho": 1e200}, "rho must be a number whose square is finite"),
        ({"rho": float("nan")}, "rho"),
        ({"rho": "0.1"}, "rho of method 'lcmat-s' must be a number"),
        ({"top_k": 1.5}, "top_k of method 'lcmat-s' must be a whole number"),
        ({"top_k": 0}, "top_k must be at least 1"),
        ({"method": "uniform", "rho": 0.1}, "'rho' is no option of method 'uniform'"),
        ({"seed": True}, "seed"),
        ({"fraction": 0.1, "size": 3}, "either fraction or size"),
        ({"fraction": None}, "either fraction or size"),
        ({"fraction": 0.0}, r"fraction must lie in \(0, 1\]"),
        ({"fraction": 1.5}, r"fraction must lie in \(0, 1\]"),
        ({"fraction": 0.001}, "rounds to 0 samples: use a fraction above"),
    ],
)
def test_wrong_arguments_are_named(arguments, message):
    features, logits, labels = random_samples(n=40, c=2)
    with pytest.raises(ValueError, match=message):
        select(**({"method": "lcmat-s", "fraction": 0.2} | arguments), features=features, logits=logits, labels=labels)


def test_a_diverged_network_is_named():
    features, logits, labels = random_samples()
    logits[2, 1] = torch.nan
    with pytest.raises(ValueError, match="logits contain NaN or infinity"):
        select("lcmat-s", features, logits, labels, size=2)


def test_fraction_rounds_halves_to_even_as_the_official_code():
    labels = torch.arange(100).repeat_interleave(500)
    assert set(class_budgets(labels, fraction=0.005).values()) == {2}
    assert set(class_budgets(labels, fraction=0.007).values()) == {4}


@pytest.mark.parametrize("size", [0, 1, 7, 13, 100])
def test_sizes_are_shared_in_proportion(size):
    counts = [3, 50, 47]
    budgets = class_budgets(torch.arange(3).repeat_interleave(torch.tensor(counts)), size=size)
    assert sum(budgets.values()) == size
    assert all(abs(budgets[c] - size * counts[c] / 100) < 1 for c in range(3))


def test_a_coreset_is_saved_loaded_and_applied(tmp_path):
    features, logits, labels = random_samples(n=30, c=2)
    coreset = select("uniform", features, logits, labels, size=6)
    coreset.save(tmp_path / "coreset.safetensors")
    again = Coreset.load(tmp_path / "coreset.safetensors")
    for name in ("indices", "weights", "gains"):
        torch.testing.assert_close(getattr(again, name), getattr(coreset, name), equal_nan=True)
    dataset = torch.utils.data.TensorDataset(features, labels)
    subset = again.subset(dataset)
    assert isinstance(subset, torch.utils.data.Subset)
    assert [int(label) for _, label in subset] == labels[coreset.indices].tolist()
    with pytest.raises(ValueError, match="outside the data set of 3"):
        again.subset(torch.utils.data.TensorDataset(features[:3]))


def test_a_damaged_coreset_file_is_refused(tmp_path):
    path = tmp_path / "coreset.safetensors"
    select("uniform", *random_samples(n=30, c=2), size=6).save(path)
    content = bytearray(path.read_bytes())
    content[-3] ^= 1
    path.write_bytes(bytes(content))
    with pytest.raises(CorruptArtifactError, match=path.name):
        Coreset.load(path)


def test_a_file_of_something_else_is_no_coreset(tmp_path):
    checkpoints.save(tmp_path / "other.safetensors", {"indices": torch.arange(3)}, {"kind": "network"})
    with pytest.raises(ValueError, match="holds network, not a coreset"):
        Coreset.load(tmp_path / "other.safetensors")
