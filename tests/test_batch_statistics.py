"""The official code's view of the training set, against a plain loop over batches in training mode."""

import pytest
import torch

from lcmat import models
from lcmat.data import load
from lcmat.experiments.batch_statistics import embed_with_batch_statistics


@pytest.fixture(scope="module")
def images():
    return load("digits").train.subset(torch.arange(300))


def resnet():
    return models.build("resnet18", num_classes=10, in_channels=1, image_size=8, width=4, seed=0)


def test_each_image_is_normalised_by_its_batch_of_one_class(images):
    view = embed_with_batch_statistics(resnet(), images)
    plain = resnet().train()
    for label in (0, 7):
        members = (images.labels == label).nonzero().flatten()
        with torch.no_grad():
            expected = plain(images.normalized(members))
        torch.testing.assert_close(view.logits[members], expected, rtol=1e-4, atol=1e-4)


def test_the_network_is_left_as_it_is(images):
    network = resnet()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    embed_with_batch_statistics(network, images)
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())


def test_a_network_without_batch_norm_is_refused(images):
    network = models.build("digits-net", num_classes=10, in_channels=1, image_size=8, seed=0)
    with pytest.raises(ValueError, match="needs a network with batch norm"):
        embed_with_batch_statistics(network, images)
