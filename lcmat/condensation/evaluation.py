"""What a condensed set is worth: a new network trained on it alone."""

from dataclasses import dataclass

import torch

from lcmat.condensation.network_training import Variation, shuffled_batches, train_on_batches
from lcmat.condensation.synthetic import SyntheticSet
from lcmat.config.arguments import check_fields, checked
from lcmat.data.augmentation.siamese import Combine, operations
from lcmat.data.dataset import side
from lcmat.models import Network, build
from lcmat.training.draws import dropout_from
from lcmat.training.sgd import Sgd


@dataclass(frozen=True)
class EvaluationRecipe:
    """How a network is trained on a condensed set; the defaults are IDC's for small images.

    The learning rate is multiplied by 0.2 after two thirds and after five sixths of the epochs.

    Attributes:
        network: name, as for `lcmat.models.build`.
        width: of the network; None: the published one.
        epochs: passes over the decoded set.
        batch_size: images per step.
        learning_rate: of the first epoch.
        momentum: of SGD.
        weight_decay: added to every gradient as weight_decay * parameter.
        augmentation: strategy, each image by a draw of its own; IDC leaves cutout to CutMix.
        combine: how its operations combine, see `draw_transformation`.
        cutmix: probability of CutMix.
    """

    network: str = "convnet"
    width: int | None = None
    epochs: int = 1000
    batch_size: int = 64
    learning_rate: float = 0.01
    momentum: float = 0.9
    weight_decay: float = 5e-4
    augmentation: str = "color_crop_flip_scale_rotate"
    combine: Combine = "idc"
    cutmix: float = 0.5

    def __post_init__(self) -> None:
        """Refuse values that no run can use."""
        counts = dict.fromkeys(("width", "epochs", "batch_size"), "[1, inf)")
        check_fields(
            self, **counts, learning_rate="(0, inf)", momentum="[0, 1)", weight_decay="[0, inf)", cutmix="[0, 1]"
        )
        operations(self.augmentation)

    def rate(self, epoch: int) -> float:
        """Learning rate of an epoch, the first being 0.

        >>> [round(EvaluationRecipe(epochs=6).rate(epoch), 6) for epoch in range(6)]
        [0.01, 0.01, 0.01, 0.01, 0.002, 0.0004]
        """
        drops = (epoch >= 2 * self.epochs // 3) + (epoch >= 5 * self.epochs // 6)
        return self.learning_rate * 0.2**drops


@checked(device="device")
def train_on_set(
    synthetic: SyntheticSet, recipe: EvaluationRecipe, *, generator: torch.Generator, device: str = "cpu"
) -> Network:
    """Train a new network on a condensed set.

    Args:
        synthetic: the set; its images are decoded first.
        recipe: see `EvaluationRecipe`.
        generator: on the CPU, of the initial weights and of all draws.
        device: where to compute.

    Returns:
        The network, on the device; `lcmat.training.accuracy_percent` measures it.
    """
    images, labels = (part.to(device) for part in synthetic.decoded())
    network = build(
        recipe.network,
        num_classes=len(synthetic.class_names),
        in_channels=images.shape[1],
        image_size=side(images, "the condensed set"),
        width=recipe.width,
        seed=int(torch.randint(2**31, (), generator=generator)),
    ).to(device)
    sgd = Sgd(network, momentum=recipe.momentum, nesterov=False, weight_decay=recipe.weight_decay)
    batches = shuffled_batches(
        len(labels), epochs=recipe.epochs, batch_size=recipe.batch_size, most=None, generator=generator
    )
    per_epoch = len(batches) // recipe.epochs
    with dropout_from(generator, labels.device):
        train_on_batches(
            network,
            sgd,
            images.__getitem__,
            labels,
            batches,
            learning_rates=[recipe.rate(step // per_epoch) for step in range(len(batches))],
            variation=Variation(recipe.augmentation, recipe.combine, recipe.cutmix),
            generator=generator,
        )
    return network
