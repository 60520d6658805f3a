"""A last layer without bias: closed forms against autograd on a real one, choices against naive references."""

from types import SimpleNamespace

import pytest
import torch
from torch import nn
from torch.nn import functional
from torch.utils.data import TensorDataset

from lcmat import bound, curvature, select, select_images
from lcmat.condensation.matching import OBJECTIVES, compare
from lcmat.condensation.observation import observe
from lcmat.config import SelectionParameters
from lcmat.curvature import LastLayer
from lcmat.data import load
from lcmat.experiments import embedding, selecting
from lcmat.experiments.embedding import SelectorView
from lcmat.experiments.evidence.norms import norms
from lcmat.experiments.selection import choose
from lcmat.models import Network
from lcmat.selection import METHODS
from lcmat.selection.images import last_layer
from lcmat.speed.naive import naive_greedy

BUDGET = 8


def samples_of(weight, n, seed):
    """Features of unit norm, where a bias would weigh as much as they do, and what the layer makes of them."""
    generator = torch.Generator().manual_seed(seed)
    features = functional.normalize(torch.randn(n, weight.shape[1], generator=generator, dtype=torch.float64), dim=1)
    labels = torch.randint(len(weight), (n,), generator=generator)
    return LastLayer(features, features @ weight.T, labels)


def loss_at(weight, samples):
    """Of each sample, from torch's own layer and loss."""
    logits = functional.linear(samples.features, weight)
    return functional.cross_entropy(logits, samples.labels, reduction="none")


def derivatives(weight, samples):
    """Gradients (n, c d) and Hessians (n, c d, c d) in the layer's weight, sample by sample, by autograd."""
    gradients, hessians = [], []
    for row in range(len(samples.labels)):
        one = LastLayer(*(part[row : row + 1] for part in samples))

        def loss(flat, one=one):
            return loss_at(flat.view(weight.shape), one).sum()

        leaf = weight.flatten().clone().requires_grad_()
        gradients.append(torch.autograd.grad(loss(leaf), leaf)[0])
        hessians.append(torch.autograd.functional.hessian(loss, weight.flatten()))
    return torch.stack(gradients), torch.stack(hessians)


@pytest.fixture(scope="module")
def problem():
    weight = 3 * torch.randn(4, 5, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    samples, held_out = samples_of(weight, 40, seed=1), samples_of(weight, 12, seed=2)
    gradients, hessians = derivatives(weight, samples)
    return SimpleNamespace(
        weight=weight,
        samples=samples,
        held_out=held_out,
        gradients=gradients,
        hessians=hessians,
        diagonals=hessians.diagonal(dim1=1, dim2=2),
    )


def test_gradients_hessians_and_their_distances_equal_autograd(problem):
    features, logits, labels = problem.samples
    dimensions = torch.tensor([0, 7, 19])
    pairs = problem.hessians[:, None] - problem.hessians
    for ours, expected in (
        (curvature.per_sample_gradients(features, logits, labels, bias=False), problem.gradients),
        (curvature.hessian_diagonals(features, logits, bias=False), problem.diagonals),
        (
            curvature.hessian_diagonal_columns(features, logits, dimensions, bias=False),
            problem.diagonals[:, dimensions],
        ),
        (
            curvature.gradient_distances(features, logits, labels, bias=False),
            (problem.gradients[:, None] - problem.gradients).norm(dim=2),
        ),
        (
            curvature.hessian_distances(features, logits, dimensions, bias=False),
            (problem.diagonals[:, None] - problem.diagonals)[..., dimensions].abs().sum(dim=2),
        ),
        (
            curvature.largest_diagonal_distances(features, logits, bias=False),
            pairs.diagonal(0, 2, 3).abs().amax(2),
        ),
        (curvature.frobenius_hessian_distances(features, logits, bias=False), pairs.flatten(2).norm(dim=2)),
        (
            curvature.spectral_hessian_distances(features, logits, bias=False),
            torch.linalg.eigvalsh(pairs).abs().amax(dim=2),
        ),
    ):
        torch.testing.assert_close(ours.flatten(), expected.flatten(), rtol=1e-9, atol=1e-9)
    order = problem.diagonals.var(dim=0).sort(descending=True, stable=True).indices
    assert torch.equal(curvature.top_variance_dimensions(features, logits, 6, bias=False), order[:6])


def test_moments_of_the_gradients_equal_autograd(problem):
    features, logits, _ = problem.samples
    for ours, expected in (
        (curvature.mean_gradient(*problem.samples, bias=False), problem.gradients.mean(dim=0)),
        (curvature.second_moment(*problem.samples, bias=False), problem.gradients.square().mean(dim=0)),
        (curvature.gradient_variance(*problem.samples, bias=False), problem.gradients.var(dim=0)),
        (curvature.mean_hessian_diagonal(features, logits, bias=False), problem.diagonals.mean(dim=0)),
    ):
        assert ours.shape == problem.weight.shape
        torch.testing.assert_close(ours.flatten(), expected, rtol=0, atol=1e-12)


def test_the_loss_difference_of_the_bound_is_that_of_the_layer_without_bias(problem):
    chosen = torch.tensor([3, 8, 20])
    part = LastLayer(*(tensor[chosen] for tensor in problem.samples))
    step = torch.randn(4, 5, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    expected = loss_at(problem.weight + step, problem.samples).mean() - loss_at(problem.weight + step, part).mean()
    hessian = problem.hessians.mean(dim=0) - problem.hessians[chosen].mean(dim=0)
    for difference in (
        bound.subset_difference(*problem.samples, chosen, bias=False),
        bound.set_difference(tuple(problem.samples), tuple(part), bias=False),
    ):
        torch.testing.assert_close(bound.difference_at(difference, step), expected, rtol=0, atol=1e-12)
        gap = problem.gradients.mean(dim=0) - problem.gradients[chosen].mean(dim=0)
        torch.testing.assert_close(bound.gradient_gap(difference).flatten(), gap, rtol=0, atol=1e-12)
        torch.testing.assert_close(bound.dense_hessian(difference), hessian, rtol=0, atol=1e-12)
        ends = torch.linalg.eigvalsh(hessian)
        assert bound.hessian_extremes(difference).largest == pytest.approx(float(ends[-1]), rel=1e-8)


def test_gradient_norms_are_those_of_the_layer_without_bias(problem):
    expected = problem.gradients.norm(dim=1)
    torch.testing.assert_close(norms(problem.samples, bias=False)["gradient_norms"], expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("classes", [1, 2])
def test_condensation_compares_the_variances_of_the_layer_without_bias(classes, problem):
    network = Network(nn.Flatten(), nn.Linear(5, 4, bias=False)).double().eval()
    with torch.no_grad():
        network.classifier.weight.copy_(problem.weight)
    images = problem.samples.features.view(2, 2, 10, 1, 1, 5)[:, :classes]  # real and synthetic, ten of each class
    labels = torch.arange(classes)[:, None].expand(classes, 10)
    real, synthetic = (observe(network, part, labels, create_graph=True) for part in images)
    penalties = compare(OBJECTIVES["lcmat-c"], real.detach(), synthetic).penalty
    for label in range(classes):
        first, second = (
            derivatives(problem.weight, LastLayer(part[label].flatten(1), part[label].flatten(1), labels[label]))[0]
            for part in images
        )
        expected = (first.var(dim=0) - second.var(dim=0)).norm()
        torch.testing.assert_close(penalties[label].detach(), expected, rtol=1e-9, atol=0)


def cosines(gradients):
    directions = gradients / gradients.norm(dim=1, keepdim=True)
    return directions @ directions.T


def lcmat_s(problem):
    top = problem.diagonals.var(dim=0).argsort(descending=True)[:6]
    hessians = torch.cdist(problem.diagonals[:, top], problem.diagonals[:, top], p=1)
    return naive_greedy(torch.cdist(problem.gradients, problem.gradients) + 0.5 * hessians, BUDGET)


def lcmat_s_spectral(problem):
    norms_ = torch.linalg.eigvalsh(problem.hessians[:, None] - problem.hessians).abs().amax(dim=2)
    return naive_greedy(torch.cdist(problem.gradients, problem.gradients) + 0.5 * norms_, BUDGET)


def gap_herding(problem):
    """The gap of each candidate set, from its own gradients and Hessians."""
    top, chosen = problem.diagonals.var(dim=0).argsort(descending=True)[:6], []
    for _ in range(BUDGET):
        gaps = {}
        for row in set(range(len(problem.gradients))) - set(chosen):
            gradient, diagonal = (
                part[[*chosen, row]].mean(dim=0) - part.mean(dim=0) for part in (problem.gradients, problem.diagonals)
            )
            gaps[row] = float(gradient.norm() + 0.5 * diagonal[top].abs().sum())
        chosen.append(min(gaps, key=gaps.get))
    return chosen


def craig(problem):
    return naive_greedy(torch.cdist(problem.gradients, problem.gradients), BUDGET)


def adacore(problem):
    vectors = problem.gradients / (problem.diagonals + 0.1 * problem.diagonals.mean())
    return naive_greedy(torch.cdist(vectors, vectors), BUDGET)


def facility_location(problem):
    return naive_greedy((1 - cosines(problem.gradients)) / 2, BUDGET)


def graph_cut(problem):
    similarities, chosen = (1 + cosines(problem.gradients)) / 2, []
    for _ in range(BUDGET):
        gains = similarities.sum(dim=0) - 1 - 2 * similarities[chosen].sum(dim=0)
        gains[chosen] = -torch.inf
        chosen.append(int(gains.argmax()))
    return chosen


def pursuit(problem, samples):
    """Orthogonal matching pursuit of n times a mean gradient, each regression solved anew."""
    gradients = problem.gradients
    target = len(gradients) * derivatives(problem.weight, samples)[0].mean(dim=0)
    residual, chosen = target, []
    for _ in range(BUDGET):
        correlations = gradients @ residual
        correlations[chosen] = -torch.inf
        chosen.append(int(correlations.argmax()))
        own = gradients[chosen]
        normal = own @ own.T + 0.5 * torch.eye(len(own), dtype=own.dtype)
        residual = target - own.T @ torch.linalg.solve(normal, own @ target)
    return chosen


def ascent(problem, judges):
    """Glister with the judges' gradient by autograd at the weights after the chosen steps."""
    weight, chosen = problem.weight.clone(), []
    for _ in range(BUDGET):
        leaf = weight.clone().requires_grad_()
        gradient = torch.autograd.grad(loss_at(leaf, judges).mean(), leaf)[0].flatten()
        gains = problem.gradients @ gradient
        gains[chosen] = -torch.inf
        chosen.append(int(gains.argmax()))
        weight = weight - 0.3 * problem.gradients[chosen[-1]].view(weight.shape)
    return chosen


REFERENCES = {
    "lcmat-s": (lcmat_s, {"rho": 1.0, "top_k": 6}),
    "lcmat-s-spectral": (lcmat_s_spectral, {"rho": 1.0}),
    "gap-herding": (gap_herding, {"rho": 1.0, "top_k": 6}),
    "craig": (craig, {"gradients": "last-layer"}),
    "gradmatch": (lambda problem: pursuit(problem, problem.samples), {}),
    "gradmatch-val": (lambda problem: pursuit(problem, problem.held_out), {}),
    "glister": (lambda problem: ascent(problem, problem.samples), {"eta": 0.3}),
    "glister-val": (lambda problem: ascent(problem, problem.held_out), {"eta": 0.3}),
    "adacore": (adacore, {}),
    "facility-location": (facility_location, {}),
    "graph-cut": (graph_cut, {}),
}


@pytest.mark.parametrize("method", REFERENCES)
def test_choices_equal_the_naive_reference_and_a_bias_would_change_them(method, problem):
    reference, options = REFERENCES[method]
    if METHODS[method].evidence:
        options = {**options, "validation": problem.held_out}
    options = {**options, "size": BUDGET, "balanced": False}
    expected = reference(problem)
    assert select(method, *problem.samples, bias=False, **options).indices.tolist() == expected
    assert select(method, *problem.samples, **options).indices.tolist() != expected


def test_the_methods_that_see_the_bias_are_those_with_a_reference_here():
    assert {name for name, method in METHODS.items() if method.sees_bias} == set(REFERENCES)
    assert all("bias" not in method.options for method in METHODS.values())


def test_craig_on_gradients_in_the_logits_has_nothing_to_do_with_a_bias(problem):
    choices = [select("craig", *problem.samples, size=BUDGET, bias=bias).indices.tolist() for bias in (True, False)]
    assert choices[0] == choices[1]


@pytest.mark.parametrize("bias", [True, False])
def test_select_images_finds_out_by_itself(bias, problem):
    network = nn.Sequential(nn.Flatten(), nn.Linear(5, 4, bias=bias)).double()
    with torch.no_grad():
        network[1].weight.copy_(problem.weight)
    dataset = TensorDataset(problem.samples.features, problem.samples.labels)
    ours = select_images(network, dataset, size=BUDGET, rho=1.0, top_k=6).indices
    expected, other = (
        select("lcmat-s", *last_layer(network, dataset), size=BUDGET, rho=1.0, top_k=6, bias=told).indices
        for told in (bias, not bias)
    )
    assert torch.equal(ours, expected) and not torch.equal(ours, other)


def test_the_benchmark_tells_the_methods_what_its_network_has():
    splits = load("digits")
    parameters = SelectionParameters(dataset="digits", method="lcmat-s", fraction=0.02, seed=0)
    weight = 3 * torch.randn(10, 5, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    samples = samples_of(weight, len(splits.train), seed=1)._replace(labels=splits.train.labels)
    choices = [
        choose(parameters, SelectorView(samples.features, samples.logits, 0.0, 0.0, *bias), splits).coreset.indices
        for bias in ((), (True,), (False,))
    ]
    options = {"fraction": 0.02, "rho": parameters.canonical()["rho"], "bias": False}
    assert torch.equal(choices[2], select("lcmat-s", *samples, **options).indices)
    assert torch.equal(choices[0], choices[1]) and not torch.equal(choices[1], choices[2])


def test_the_selecting_network_says_whether_its_layer_has_a_bias(monkeypatch, tmp_path):
    monkeypatch.setenv("LCMAT_CACHE", str(tmp_path))
    parameters = SelectionParameters(dataset="digits", method="lcmat-s", fraction=0.02, seed=0, selection_epochs=1)
    make = selecting.make_network

    def make_without(*arguments):
        network = make(*arguments)
        network.classifier.bias = None
        return network

    monkeypatch.setattr(selecting, "make_network", make_without)
    assert [embedding.selector_view(parameters, load("digits"), "cpu").bias for _ in range(2)] == [False, False]
