"""The one-call helper on networks of several kinds, against the layer's inputs taken by hand."""

import pytest
import torch
from torch import nn
from torch.utils.data import TensorDataset

from lcmat import select_images
from lcmat.selection.images import last_layer
from tests.test_selection import naive_choice


class TwoHeads(nn.Module):
    """A network whose last linear layer is an auxiliary head, as Inception's during training."""

    def __init__(self):
        super().__init__()
        self.main, self.auxiliary = nn.Linear(16, 3), nn.Linear(16, 3)

    def forward(self, images):
        self.auxiliary(images.flatten(1))
        return self.main(images.flatten(1))


@pytest.fixture
def dataset():
    generator = torch.Generator().manual_seed(0)
    return TensorDataset(torch.randn(30, 1, 4, 4, generator=generator), torch.arange(30) % 3)


@pytest.fixture
def network():
    torch.manual_seed(0)
    body = [nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Dropout(0.5)]
    return nn.Sequential(*body, nn.Linear(16, 3))


def test_features_and_logits_are_those_of_eval_mode_whatever_the_batches(network, dataset):
    network.train()
    features, logits, labels = last_layer(network, dataset, batch_size=7)
    assert network.training and network[4].training, "the mode is restored"
    network.eval()
    with torch.no_grad():
        torch.testing.assert_close(features, network[:-1](dataset.tensors[0]))
        torch.testing.assert_close(logits, network(dataset.tensors[0]))
    assert torch.equal(labels, dataset.tensors[1])


def test_a_frozen_batch_norm_stays_frozen(network, dataset):
    network.train()
    network[1].eval()
    select_images(network, dataset, size=3)
    assert network.training and not network[1].training


def test_the_choice_is_the_naive_greedys_on_what_the_layer_sees(network, dataset):
    coreset = select_images(network, dataset, fraction=0.2, rho=0.5, top_k=4)
    images, labels = dataset.tensors
    with torch.no_grad():
        features = network.eval()[:-1](images)
        sample = (features.double(), network[-1](features).double(), labels)
    assert coreset.indices.tolist() == naive_choice(sample, fraction=0.2, rho=0.5, top_k=4)
    assert len(coreset.subset(dataset)) == 6


def test_torchvision_networks_are_accepted(dataset):
    torchvision = pytest.importorskip("torchvision")
    images = torch.randn(6, 3, 32, 32)
    network = torchvision.models.mobilenet_v3_small(weights=None, num_classes=3)
    assert len(select_images(network, TensorDataset(images, torch.arange(6) % 3), size=3)) == 3


@pytest.mark.parametrize("wrong", [TwoHeads(), nn.Sequential(nn.Flatten(), nn.Linear(16, 3), nn.Softmax(dim=1))])
def test_an_output_that_is_not_the_last_layers_is_refused(wrong, dataset):
    with pytest.raises(ValueError, match="not the output of its last linear layer"):
        select_images(wrong, dataset, size=3)


def test_networks_without_linear_layer_and_empty_data_are_refused(network, dataset):
    with pytest.raises(ValueError, match=r"no torch\.nn\.Linear"):
        select_images(nn.Sequential(nn.Conv2d(1, 3, 4), nn.Flatten()), dataset, size=3)
    with pytest.raises(ValueError, match="empty"):
        select_images(network, TensorDataset(torch.zeros(0, 1, 4, 4), torch.zeros(0, dtype=torch.int64)), size=0)
