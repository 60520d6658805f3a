"""Networks: against torchvision's, against published sizes, and split before the last layer."""

import subprocess
import sys

import pytest
import torch
from torch import nn
from torch.nn import functional

from lcmat import models
from lcmat.models.convnet import convnet
from lcmat.models.resnet import BasicBlock, PreActivationBlock
from lcmat.models.vgg import vgg16

ALL = [*models.MODELS, "torchvision:mobilenet_v2", "torchvision:densenet121"]


def small(name, **options):
    """A narrow version, which is fast; torchvision's have one width."""
    width = None if name.startswith("torchvision:") else 8
    return models.build(name, num_classes=7, width=width, **options)


def num_parameters(module):
    return sum(parameter.numel() for parameter in module.parameters())


def images(n=2, channels=3, size=32):
    return torch.randn(n, channels, size, size, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize(
    ("name", "published"),
    [
        ("convnet", 320_010),
        ("resnet10", 1_228_970),
        ("densenet121", 1_000_618),
        ("resnet18", 11_173_962),
        ("vgg16", 14_728_266),
        ("wrn16-8", 10_961_370),
        ("inception-v3", 22_133_738),  # torchvision's 21,806,058 and three 3x3 convolutions in the place of 1x1
    ],
)
def test_published_parameter_counts_for_cifar10(name, published):
    assert num_parameters(models.build(name, num_classes=10)) == published


@pytest.mark.parametrize(("size", "channels", "width", "side"), [(32, 3, 128, 4), (28, 1, 64, 4), (64, 3, 32, 8)])
def test_convnet_parameter_count_by_formula(size, channels, width, side):
    convolutions = 9 * width * (channels + 2 * width) + 3 * width
    expected = convolutions + 3 * 2 * width + 10 * (width * side**2 + 1)
    network = models.build("convnet", num_classes=10, in_channels=channels, image_size=size, width=width)
    assert num_parameters(network) == expected


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("training", [False, True])
def test_forward_is_classifier_of_features(name, training):
    network = small(name).train(training)
    batch = images(4)
    torch.manual_seed(0)  # dropout of mobilenet_v2
    features = network.features(batch)
    torch.manual_seed(0)
    assert features.shape == (4, network.classifier.in_features)
    torch.testing.assert_close(network(batch), network.classifier(features), rtol=0, atol=0)
    assert network(batch).shape == (4, 7)


@pytest.mark.parametrize("name", models.MODELS)
@pytest.mark.parametrize(("size", "channels"), [(28, 1), (64, 3)])
def test_other_image_sizes(name, size, channels):
    network = small(name, image_size=size, in_channels=channels)
    assert network(images(2, channels, size)).shape == (2, 7)


def same_numbers(network, reference):
    """Copy all parameters and statistics in order: both list them from the first layer to the last."""
    values = reference.state_dict().values()
    network.load_state_dict(dict(zip(network.state_dict(), values, strict=True)))


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize(("name", "blocks"), [("resnet10", 1), ("resnet18", 2)])
def test_residual_networks_are_torchvisions_with_another_stem(name, blocks, training):
    from torchvision.models.resnet import BasicBlock, ResNet

    reference = ResNet(BasicBlock, [blocks] * 4, num_classes=10).train(training)
    reference.conv1 = nn.Conv2d(3, 64, 3, padding=1, bias=False)
    reference.maxpool = nn.Identity()
    network = models.build(name, num_classes=10, width=64).train(training)
    same_numbers(network, reference)
    torch.testing.assert_close(network(images()), reference(images()))


def test_resnet10_begins_with_hes_weights_of_the_fan_out():
    first, *_, last = (m for m in models.build("resnet10", num_classes=10).modules() if isinstance(m, nn.Conv2d))
    for layer, fan_out in ((first, 9 * 32), (last, 256)):
        assert float(layer.weight.detach().std()) == pytest.approx((2 / fan_out) ** 0.5, rel=0.05)


@pytest.mark.parametrize("training", [False, True])
def test_densenet121_is_torchvisions_with_another_stem(training):
    from torchvision.models.densenet import DenseNet

    reference = DenseNet(growth_rate=12, block_config=(6, 12, 24, 16), num_init_features=24, num_classes=10)
    reference.features.conv0 = nn.Conv2d(3, 24, 3, padding=1, bias=False)
    for name in ("norm0", "relu0", "pool0"):
        setattr(reference.features, name, nn.Identity())
    network = models.build("densenet121", num_classes=10).train(training)
    same_numbers(network, reference.train(training))
    torch.testing.assert_close(network(images()), reference(images()))


def test_vgg16_has_torchvisions_convolutions():
    from torchvision.models import vgg16_bn

    reference = vgg16_bn(num_classes=10).features.eval()
    network = vgg16(3, 32, 64).eval()
    same_numbers(network, reference)
    torch.testing.assert_close(network(images()), reference(images()).flatten(1))


@pytest.mark.parametrize("training", [False, True])
def test_inception_v3_is_torchvisions_but_for_what_the_papers_code_changes(training):
    """Read in deepcore/nets/inceptionv3.py of the official repository."""
    from torchvision.models import inception_v3

    reference = inception_v3(num_classes=10, aux_logits=False, init_weights=False).train(training)
    for layer in (reference.Conv2d_1a_3x3.conv, reference.Conv2d_2a_3x3.conv):
        layer.stride, layer.padding = 1, 1
    reference.maxpool1 = reference.maxpool2 = nn.Identity()
    for name, block in reference.named_children():
        if name.startswith("Mixed_5"):
            pooled = block.branch_pool.conv
            block.branch_pool.conv = nn.Conv2d(pooled.in_channels, pooled.out_channels, 3, padding=1, bias=False)
        elif hasattr(block, "branch7x7_2"):
            for layer in (block.branch7x7_2.conv, block.branch7x7_3.conv):
                layer.weight = nn.Parameter(layer.weight.detach().transpose(2, 3))
                layer.padding = layer.padding[::-1]
    last = reference.Mixed_7a
    whole = last.forward
    last.forward = lambda x: torch.cat([whole(x)[:, :-768], functional.avg_pool2d(x, 3, stride=2)], dim=1)
    for layer in reference.modules():
        if isinstance(layer, nn.BatchNorm2d):
            layer.eps = 1e-5
    network = models.build("inception-v3", num_classes=10).train(training)
    same_numbers(network, reference)
    torch.manual_seed(0)  # dropout
    expected = reference(images())
    torch.manual_seed(0)
    torch.testing.assert_close(network(images()), expected)


def test_convnet_is_dcs_with_instance_normalisation():
    layers = []
    for channels in (3, 16, 16):
        layers += [
            nn.Conv2d(channels, 16, 3, padding=1),
            nn.InstanceNorm2d(16, affine=True),
            nn.ReLU(),
            nn.AvgPool2d(2),
        ]
    reference = nn.Sequential(*layers, nn.Flatten())
    network = convnet(3, 32, 16)
    same_numbers(network, reference)
    torch.testing.assert_close(network(images()), reference(images()))


@pytest.mark.parametrize("make", [convnet, vgg16])
def test_28_pixels_are_padded_to_32(make):
    network, larger = make(1, 28, 8).eval(), make(1, 32, 8).eval()
    same_numbers(network, larger)
    batch = images(2, 1, 28)
    torch.testing.assert_close(network(batch), larger(nn.functional.pad(batch, (2, 2, 2, 2))))


@pytest.mark.parametrize(("channels", "width", "stride"), [(4, 4, 1), (4, 8, 2), (4, 8, 1)])
def test_pre_activation_block_by_its_formula(channels, width, stride):
    block = PreActivationBlock(channels, width, stride).eval()
    batch = images(2, channels, 8)
    activated = torch.relu(block.activation[0](batch))
    first, normalisation, _, second = block.branch
    hidden = torch.relu(normalisation(first(activated)))
    shortcut = batch if block.shortcut is None else block.shortcut(activated)
    torch.testing.assert_close(block(batch), second(hidden) + shortcut)
    assert (block.shortcut is None) == (channels == width and stride == 1)


@pytest.mark.parametrize("size", [8, 7])
@pytest.mark.parametrize("capability", ["AVX2", "AVX512"])
def test_projections_of_few_channels_are_convolutions_whatever_computes_them(monkeypatch, capability, size):
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: capability)
    block = BasicBlock(3, 6, 2).double()  # oneDNN takes no part in double precision
    convolution = block.shortcut[0]
    assert (type(convolution) is nn.Conv2d) == (capability == "AVX512")
    batch = images(5, 3, size).double().requires_grad_()
    outputs, expected = convolution(batch), functional.conv2d(batch, convolution.weight, stride=2)
    torch.testing.assert_close(outputs, expected)
    weights = torch.randn(expected.shape, dtype=torch.float64)
    for tensor in (batch, convolution.weight):
        found, wanted = (
            torch.autograd.grad((each * weights).sum(), tensor, retain_graph=True)[0] for each in (outputs, expected)
        )
        torch.testing.assert_close(found, wanted)


_NARROW = """
import torch
from lcmat import models
torch.set_num_threads(1)
for name, width in [("resnet18", 2), ("resnet18", 3), ("resnet18", 4), ("resnet10", 6), ("wrn16-8", 5)]:
    network = models.build(name, num_classes=10, in_channels=1, image_size=8, width=width)
    network.to(memory_format=torch.channels_last)
    images = torch.randn(128, 1, 8, 8).contiguous(memory_format=torch.channels_last)
    for _ in range(30):
        network(images).square().mean().backward()
"""


def test_narrow_residual_networks_do_not_end_the_process():
    done = subprocess.run([sys.executable, "-c", _NARROW], capture_output=True, encoding="utf-8")
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("name", ["convnet", "wrn16-8", "torchvision:resnet18"])
def test_weights_are_a_function_of_the_seed_alone(name):
    first, other = small(name, seed=0).state_dict(), small(name, seed=1).state_dict()
    torch.manual_seed(123)
    before = torch.random.get_rng_state()
    again = small(name, seed=0).state_dict()
    assert torch.equal(before, torch.random.get_rng_state())
    assert all(torch.equal(first[key], again[key]) for key in first)
    assert any(not torch.equal(first[key], other[key]) for key in first)


@pytest.mark.parametrize("name", ["resnet18", "torchvision:resnet18"])
def test_building_leaves_batch_statistics_untouched_and_training_mode_on(name):
    network = models.build(name, num_classes=10)
    assert all(module.training for module in network.modules())
    statistics = [module for module in network.modules() if isinstance(module, nn.BatchNorm2d)]
    assert all(int(module.num_batches_tracked) == 0 for module in statistics)
    assert all(torch.equal(module.running_mean, torch.zeros_like(module.running_mean)) for module in statistics)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"name": "resnet19"}, "no network 'resnet19'.*resnet18"),
        ({"name": "convnet", "image_size": 4}, "'convnet' cannot take 4x4 images"),
        ({"name": "torchvision:resnet19"}, "no classifier 'resnet19'.*resnet18"),
        ({"name": "torchvision:squeezenet1_0"}, "'squeezenet1_0' has no nn.Linear"),
        ({"name": "torchvision:vit_b_16"}, "'vit_b_16' cannot take 32x32 images"),
        ({"name": "torchvision:resnet18", "in_channels": 1}, "takes three channels"),
        ({"name": "torchvision:resnet18", "width": 8}, "has its own width"),
    ],
)
def test_errors_name_the_culprit(arguments, message):
    with pytest.raises(ValueError, match=message):
        models.build(**arguments, num_classes=10)


def test_a_network_that_does_not_end_in_its_last_linear_layer_is_refused(monkeypatch):
    from torchvision import models as zoo

    model = nn.Sequential(nn.Flatten(), nn.Linear(3 * 32 * 32, 4), nn.Softmax(1))
    monkeypatch.setattr(zoo, "get_model", lambda *_, **__: model)
    with pytest.raises(ValueError, match=r"does not end in its last nn\.Linear"):
        models.build("torchvision:resnet18", num_classes=4)
