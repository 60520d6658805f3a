"""What condensation compares: against loops of automatic differentiation, sample by sample, class by class."""

import pytest
import torch
from torch.nn import functional

from lcmat.condensation.distances import DISTANCES, choose_layers, gap
from lcmat.condensation.matching import OBJECTIVES, Terms, compare, feature_distance, find_objective
from lcmat.condensation.observation import observe, observe_features
from lcmat.models import build

NETWORKS = {"digits-net": (1, 8), "convnet": (3, 16)}
WITH_BATCH_NORM = {"resnet18": (1, 4)}  # in evaluation mode it treats images apart, too


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def network(name="digits-net", seed=0):
    channels, size = (NETWORKS | WITH_BATCH_NORM)[name]
    return build(name, num_classes=3, in_channels=channels, image_size=size, width=4, seed=seed).double().eval()


def batch(name="digits-net", k=2, b=4, seed=1):
    """Images (k, b, ...) and labels (k, b) of k classes."""
    channels, size = (NETWORKS | WITH_BATCH_NORM)[name]
    images = torch.randn(k, b, channels, size, size, generator=generator(seed), dtype=torch.float64)
    return images, torch.arange(k)[:, None].expand(k, b)


def gradients_like(parameters, k=3, seed=0):
    draws = generator(seed)
    return [torch.randn(k, *p.shape, generator=draws, dtype=torch.float64) for p in parameters]


def per_sample_gradients(net, images, labels):
    """Gradients of every parameter for every sample, one backward pass each: a list of (b, ...)."""
    each = []
    for image, label in zip(images, labels, strict=True):
        loss = functional.cross_entropy(net(image[None]), label[None])
        each.append(torch.autograd.grad(loss, list(net.parameters()), create_graph=True))
    return [torch.stack(layer) for layer in zip(*each, strict=True)]


def last_layer(gradients):
    """Per-sample gradients (b, c, d + 1) of the last layer, the bias last."""
    return torch.cat([gradients[-2], gradients[-1][:, :, None]], dim=2)


# Distances


def dc_by_loops(real, synthetic):
    """DC's distance for one class, channel by channel."""
    total = 0.0
    for g, s in zip(real, synthetic, strict=True):
        for row, other in zip(g, s, strict=True):
            a, b = row.flatten(), other.flatten()
            total += 1 - (a @ b) / (a.norm() * b.norm() + 1e-6)
    return total


def whole(gradients, position):
    return torch.cat([g[position].flatten() for g in gradients])


@pytest.mark.parametrize("name", NETWORKS)
def test_distances_equal_loops_over_classes_layers_and_channels(name):
    parameters = list(network(name).parameters())
    real, synthetic = gradients_like(parameters), gradients_like(parameters, seed=1)
    weights = [choose_layers(part, "weights") for part in (real, synthetic)]
    assert [g.ndim for g in weights[0]] == [1 + p.ndim for p in parameters if p.ndim > 1]
    for position in range(3):
        expected = {
            "layerwise": dc_by_loops(*([g[position] for g in part] for part in weights)),
            "squared": sum((r[position] - s[position]).pow(2).sum() for r, s in zip(*weights, strict=True)),
        }
        a, b = whole(weights[0], position), whole(weights[1], position)
        expected["cosine"] = 1 - (a @ b) / (a.norm() * b.norm() + 1e-6)
        for distance, value in expected.items():
            torch.testing.assert_close(DISTANCES[distance](*weights)[position], value, rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("distance", DISTANCES)
def test_distances_have_the_gradients_of_finite_differences(distance):
    real, *synthetic = (
        [torch.randn(2, *shape, generator=generator(seed), dtype=torch.float64) for shape in ((3, 2, 2, 2), (4, 5))]
        for seed in range(2)
    )
    inputs = [g.requires_grad_() for g in synthetic[0]]
    assert torch.autograd.gradcheck(lambda *s: DISTANCES[distance](real, s), inputs)


@pytest.mark.parametrize("distance", DISTANCES)
def test_equal_gradients_have_no_distance_and_a_dead_channel_no_gradient(distance):
    gradients = gradients_like([torch.empty(4, 3)])
    gradients[0][:, 1] = 0  # a unit that is off for all images
    synthetic = gradients[0].clone().requires_grad_()
    value = DISTANCES[distance](gradients, [synthetic])
    expected = 1.0 if distance == "layerwise" else 0.0  # DC counts a channel without direction as orthogonal
    torch.testing.assert_close(value, torch.full((3,), expected, dtype=torch.float64), rtol=0, atol=1e-5)
    value.sum().backward()
    assert synthetic.grad.isfinite().all()


@pytest.mark.parametrize("norm", ["l2", "l1", "squared"])
def test_the_gap_is_torchs_norm_and_smooth_enough(norm):
    real, synthetic = gradients_like([torch.empty(2, 3)])[0], gradients_like([torch.empty(2, 3)], seed=1)[0]
    difference = (real - synthetic).flatten(1)
    expected = {"l2": difference.norm(dim=1), "l1": difference.norm(p=1, dim=1), "squared": difference.norm(dim=1) ** 2}
    torch.testing.assert_close(gap(real, synthetic, norm), expected[norm])
    assert torch.autograd.gradcheck(lambda s: gap(real, s, norm), synthetic.requires_grad_())
    gap(real, same := real.clone().requires_grad_(), norm).sum().backward()
    assert torch.equal(same.grad, torch.zeros_like(real))


def test_layers_are_told_by_their_dimensions():
    gradients = gradients_like(list(network("convnet").parameters()))
    assert [len(choose_layers(gradients, layers)) for layers in ("all", "weights", "convolutions")] == [14, 4, 3]


# What the network makes of a batch


@pytest.mark.parametrize("name", NETWORKS | WITH_BATCH_NORM)
@pytest.mark.parametrize("k", [1, 3])
def test_observed_gradients_are_means_of_per_sample_gradients(name, k):
    net, (images, labels) = network(name), batch(name, k=k)
    observation = observe(net, images, labels, create_graph=False)
    for position in range(k):
        each = per_sample_gradients(net, images[position], labels[position])
        for ours, samples in zip(observation.gradients, each, strict=True):
            torch.testing.assert_close(ours[position], samples.mean(0), rtol=1e-9, atol=1e-12)
        h = net.features(images[position])
        torch.testing.assert_close(observation.features[position], h, rtol=1e-12, atol=1e-12)
        torch.testing.assert_close(observation.logits[position], net.classifier(h), rtol=1e-12, atol=1e-12)
    assert observation.labels.shape == (k, 4)


def test_features_alone_are_the_same_features():
    net, (images, labels) = network("convnet"), batch("convnet")
    full, alone = observe(net, images, labels, create_graph=False), observe_features(net, images, labels)
    assert alone.gradients == ()
    torch.testing.assert_close(alone.features, full.features)
    torch.testing.assert_close(alone.logits, full.logits)


def test_bfloat16_is_close_and_returns_the_networks_dtype():
    net, (images, labels) = network("convnet").float(), batch("convnet", k=1, b=16)
    exact = observe(net, images.float(), labels, create_graph=False)
    for k in (1, 2):
        stacked, twice = images.float().repeat(k, 1, 1, 1, 1), labels.repeat(k, 1)
        with torch.autocast("cpu", torch.bfloat16):
            rounded = observe(net, stacked, twice, create_graph=False)
        assert rounded.features.dtype == rounded.logits.dtype == torch.float32
        for a, b in zip(
            choose_layers(exact.gradients, "weights"), choose_layers(rounded.gradients, "weights"), strict=True
        ):
            assert functional.cosine_similarity(a[0].flatten(), b[-1].flatten(), dim=0) > 0.99
        assert not torch.equal(exact.logits[0], rounded.logits[0])


# Objectives


def terms_by_loops(name, net, real, synthetic, labels, norm="l2"):
    """Distance and penalty of each class from per-sample gradients alone."""
    moments = {
        "lcmat-c": lambda g: g.var(dim=0),
        "mean-control": lambda g: g.mean(dim=0),
        "second-moment-control": lambda g: g.square().mean(dim=0),
        "pooled-variance-control": lambda g: g.var(dim=0),
    }
    distances, views = [], ([], [])
    for position in range(len(real)):
        sides = []
        for side, images in enumerate((real[position], synthetic[position])):
            each = per_sample_gradients(net, images, labels[position, :1].expand(len(images)))
            sides.append([g.mean(0) for g in each if g.ndim > 2])
            views[side].append(last_layer(each))
        distances.append(dc_by_loops(*sides))
    if name == "dm":
        means = [[net.features(images).mean(0) for images in part] for part in (real, synthetic)]
        distances = [(a - b).square().sum() for a, b in zip(*means, strict=True)]
    if name not in moments:
        return torch.stack(distances), torch.zeros(len(real), dtype=torch.float64)
    pairs = zip(*views, strict=True)
    if name == "pooled-variance-control":
        pairs = [tuple(torch.cat(view) for view in views)]
    order = {"l2": 2, "l1": 1, "squared": 2}[norm]
    gaps = [(moments[name](a) - moments[name](b)).flatten().norm(p=order) for a, b in pairs]
    return torch.stack(distances), torch.stack(gaps) ** (2 if norm == "squared" else 1)


@pytest.mark.parametrize("name", OBJECTIVES)
@pytest.mark.parametrize("model", NETWORKS)
def test_objectives_and_their_image_gradients_equal_per_sample_loops(name, model):
    net, (real, labels), (synthetic, few) = network(model), batch(model), batch(model, b=3, seed=2)
    objective, norm = OBJECTIVES[name], "l1" if model == "digits-net" else "l2"
    look = observe_features if objective.distance == "features" else observe
    options = {} if objective.distance == "features" else {"create_graph": True}
    grads = []
    for ours in (True, False):
        leaf = synthetic.clone().requires_grad_()
        if ours:
            terms = compare(objective, look(net, real, labels, **options), look(net, leaf, few, **options), norm=norm)
        else:
            terms = Terms(*terms_by_loops(name, net, real, leaf, labels, norm))
        gradient = torch.autograd.grad(terms.distance.sum() + 3.5 * terms.penalty.sum(), leaf)[0]
        grads.append((terms.distance.detach(), terms.penalty.detach(), gradient))
    for ours, expected in zip(*grads, strict=True):
        torch.testing.assert_close(ours, expected, rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("name", ["dc", "dm", "lcmat-c", "mean-control", "second-moment-control"])
def test_the_gradient_in_the_images_is_that_of_finite_differences(name):
    """Through both derivatives, group normalisation included: the loss itself is evaluated at shifted images."""
    net, (real, labels), (synthetic, few) = network("convnet"), batch("convnet"), batch("convnet", b=2, seed=3)

    def loss(images):
        objective = OBJECTIVES[name]
        if objective.distance == "features":
            views = observe_features(net, real, labels), observe_features(net, images, few)
        else:
            views = (observe(net, part, y, create_graph=True) for part, y in ((real, labels), (images, few)))
        return compare(objective, *views).loss(20.0)

    gradient = torch.autograd.grad(loss(leaf := synthetic.clone().requires_grad_()), leaf)[0]
    direction = torch.randn(synthetic.shape, generator=generator(5), dtype=torch.float64)
    step = 1e-6
    slope = (loss(synthetic + step * direction) - loss(synthetic - step * direction)) / (2 * step)
    assert float((gradient * direction).sum()) == pytest.approx(slope.item(), rel=1e-6)


def test_objectives_are_the_loss_that_the_paper_writes():
    """At equal batches nothing is left but DC's channels without direction; rho enters as rho / 2."""
    net, (real, labels) = network(), batch()
    same = observe(net, real, labels, create_graph=True)
    terms = compare(OBJECTIVES["lcmat-c"], same, same, distance="squared")
    assert terms.loss(100.0).item() == 0
    other = compare(OBJECTIVES["lcmat-c"], same, observe(net, 2 * real, labels, create_graph=True))
    torch.testing.assert_close(other.loss(8.0), other.distance.sum() + 4 * other.penalty.sum())
    assert (other.penalty > 0).all()


def test_features_are_compared_by_their_means():
    real, synthetic = (torch.randn(2, b, 5, generator=generator(b), dtype=torch.float64) for b in (7, 3))
    expected = functional.mse_loss(real.mean(1), synthetic.mean(1), reduction="none").sum(1)
    torch.testing.assert_close(feature_distance(real, synthetic), expected)


def test_the_variance_of_one_image_is_refused():
    net, (real, labels), (synthetic, few) = network(), batch(), batch(b=1, seed=2)
    views = [observe(net, images, y, create_graph=True) for images, y in ((real, labels), (synthetic, few))]
    with pytest.raises(ValueError, match="single sample"):
        compare(OBJECTIVES["lcmat-c"], *views)
    assert compare(OBJECTIVES["second-moment-control"], *views).penalty.shape == (2,)


def test_an_unknown_objective_is_named_with_the_nearest():
    with pytest.raises(ValueError, match=r"no objective 'lcmat_c'; did you mean 'lcmat-c'\?"):
        find_objective("lcmat_c")
