"""Looking at the last layer of networks of all kinds, and refusing those that it would be wrong about."""

from collections import OrderedDict

import pytest
import torch
import torchvision
from torch import nn
from torch.nn import functional
from torch.utils.data import TensorDataset

from lcmat import select_images, training
from lcmat.data import ImageDataset
from lcmat.experiments.batch_statistics import embed_with_batch_statistics
from lcmat.models import Network, build
from lcmat.models.last_layer import evaluation_mode, last_linear, look


class Custom(nn.Module):
    """A body and a head, and a `forward` of one's own."""

    def __init__(self, forward):
        super().__init__()
        self.body, self.head = nn.Sequential(nn.Flatten(), nn.Linear(12, 6), nn.ReLU()), nn.Linear(6, 3)
        self.call = forward

    def forward(self, images):
        return self.call(self, images)


class CosineHead(nn.Linear):
    def forward(self, features):
        return 5 * functional.linear(functional.normalize(features), functional.normalize(self.weight))


@pytest.fixture
def data():
    images = torch.randint(0, 256, (20, 3, 2, 2), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
    return ImageDataset.from_torch(images, torch.arange(20) % 3)


def only_the_last_image(self, images):
    logits = self.head(self.body(images))
    return torch.cat([logits[:-1], 1.01 * logits[-1:]])


WRONG = {
    "temperature": lambda self, images: self.head(self.body(images)) / 1.001,
    "temperature in place": lambda self, images: self.head(self.body(images)).div_(1.001),
    "softmax": lambda self, images: self.head(self.body(images)).softmax(dim=1),
    "logarithms": lambda self, images: self.head(self.body(images)).log_softmax(dim=1),
    "offset": lambda self, images: self.head(self.body(images)) + torch.tensor([0.0, 0.0, 0.01]),
    "one image of a batch": only_the_last_image,
    "another layer": lambda self, images: self.body(images)[:, :3] + 0 * self.head(self.body(images)),
    "the head unused": lambda self, images: self.body(images)[:, :3],
    "two passes": lambda self, images: (self.head(self.body(images)) + self.head(self.body(images.flip(3)))) / 2,
    "several outputs": lambda self, images: (self.head(self.body(images)), images),
    "fewer classes": lambda self, images: self.head(self.body(images))[:, :2],
    "a head for each pixel": lambda self, images: self.head(self.body(images)[:, None].expand(-1, 4, -1)).mean(dim=1),
}


@pytest.mark.parametrize("kind", WRONG)
def test_a_forward_that_does_something_else_is_refused(kind, data):
    network = Custom(WRONG[kind])
    for use in (training.embed, select_images):
        with pytest.raises(ValueError, match="not the output of its last linear layer"):
            use(network, data, **({"size": 3} if use is select_images else {}))
    assert not last_linear(network)._forward_hooks, "the hook is gone"


def test_a_linear_layer_that_is_not_linear_is_refused(data):
    network = nn.Sequential(nn.Flatten(), CosineHead(12, 3))
    with pytest.raises(ValueError, match="not the output of its last linear layer"):
        training.embed(network, data)


def test_features_that_the_network_goes_on_to_change_are_kept_as_they_were(data):
    def forward(self, images):
        features = self.body(images)
        logits = self.head(features)
        features.zero_()
        return logits

    network = Custom(forward)
    expected = network.body(data.normalized())
    torch.testing.assert_close(training.embed(network, data).features, expected.detach(), rtol=0, atol=0)


@pytest.mark.parametrize("name", ["digits-net", "resnet10", "torchvision:resnet18"])
def test_of_our_networks_the_features_keep_their_bits(name):
    images = torch.randint(0, 256, (23, 3, 32, 32), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
    data = ImageDataset.from_torch(images, torch.arange(23) % 3)
    network = build(name, num_classes=3, width=None if ":" in name else 4)
    embedding = training.embed(network, data, batch_size=8)
    network.eval()
    with torch.no_grad():
        parts = [network.features(data.normalized(rows)) for rows in torch.arange(23).split(8)]
        assert torch.equal(embedding.features, torch.cat(parts))
        assert torch.equal(embedding.logits, torch.cat([network.classifier(part) for part in parts]))


def test_the_whole_way_with_a_torchvision_resnet(data):
    torch.manual_seed(0)
    network = torchvision.models.resnet18(num_classes=3)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    recipe = training.Recipe(epochs=2, batch_size=8, crop_padding=1)
    result = training.train(network, data, recipe=recipe, test=data, generator=torch.Generator().manual_seed(0))
    assert len(result.losses) == 2 and not torch.equal(network.fc.weight, before["fc.weight"])
    features, logits = training.embed(network, data)
    body = nn.Sequential(OrderedDict(list(network.named_children())[:-1])).eval()
    with torch.no_grad():
        torch.testing.assert_close(features, body(data.normalized()).flatten(1))
        network.eval()
        torch.testing.assert_close(logits, network(data.normalized()))
    accuracy = training.accuracy_percent(network, data)
    assert accuracy == result.last_accuracy_percent == 5 * int((logits.argmax(1) == data.labels).sum())


def test_batch_statistics_of_a_torchvision_resnet_are_those_of_the_class(data):
    network = torchvision.models.resnet18(num_classes=3).eval()
    embedding = embed_with_batch_statistics(network, data)
    network.train()
    with torch.no_grad():
        for label in range(3):
            rows = (data.labels == label).nonzero().flatten()
            torch.testing.assert_close(embedding.logits[rows], network(data.normalized(rows)), rtol=1e-4, atol=1e-4)


def test_training_asks_for_logits_of_every_label(data):
    options = {"recipe": training.Recipe(epochs=1), "generator": torch.Generator()}
    with pytest.raises(ValueError, match=r"labels 0\.\.2, the network has logits 0\.\.1"):
        training.train(nn.Sequential(nn.Flatten(), nn.Linear(12, 2)), data, **options)
    with pytest.raises(ValueError, match="Custom does not take images to one tensor of logits"):
        training.train(Custom(WRONG["several outputs"]), data, **options)


def test_modes_come_back_one_by_one(data):
    network = nn.Sequential(nn.BatchNorm2d(3), nn.Flatten(), nn.Dropout(), nn.Linear(12, 3))
    network.train()
    network[0].eval()
    training.embed(network, data)
    training.accuracy_percent(network, data)
    with evaluation_mode(network):
        assert not any(module.training for module in network.modules())
    assert network.training and network[2].training and not network[0].training


def test_a_view_is_taken_in_the_mode_that_there_is():
    network = nn.Sequential(nn.BatchNorm1d(2), nn.Linear(2, 2)).train()
    images = torch.tensor([[0.0, 1.0], [4.0, 3.0]])
    torch.testing.assert_close(
        look(network, images).features, torch.tensor([[-1.0, -1.0], [1.0, 1.0]]), atol=1e-4, rtol=0
    )


def test_diverged_networks_are_told_from_wrong_ones():
    network = nn.Sequential(nn.Flatten(), nn.Linear(4, 2))
    nn.init.constant_(network[1].weight, torch.nan)
    with pytest.raises(ValueError, match="NaN or infinity: did the network's training diverge"):
        select_images(network, TensorDataset(torch.ones(4, 1, 2, 2), torch.tensor([0, 0, 1, 1])), size=2)


def test_a_network_of_two_parts_has_no_forward_of_its_own():
    with pytest.raises(TypeError, match=r"Warm\.forward must be classifier\(features\(x\)\)"):

        class Warm(Network):
            def forward(self, images):
                return super().forward(images) / 2
