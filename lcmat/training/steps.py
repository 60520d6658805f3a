"""One training epoch: batches, augmentation, forward, backward, update."""

from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn
from torch.nn import functional

from lcmat.data.augmentation.crop_flip import random_crop_flip
from lcmat.data.dataset import ImageDataset
from lcmat.training.adam import Adam
from lcmat.training.draws import dropout_from
from lcmat.training.evaluation import accuracy_percent, memory_layout, on_device
from lcmat.training.recipe import Recipe, learning_rates
from lcmat.training.sgd import Sgd

_EVALUATION_BATCH = 250  # divides the usual test sets, so that a compiled forward pass sees one shape


@dataclass
class Epoch:
    """An epoch under way, as much of it as another process needs to go on with it.

    Attributes:
        order: rows of the training images in the order of this epoch.
        losses: mean loss of each step that was taken.
        random_state: of torch's global generator, from which dropout draws; None before the first step.
    """

    order: Tensor
    losses: list[Tensor] = field(default_factory=list)
    random_state: Tensor | None = None


class Trainer:
    """The network with its optimizer, its data on the device, and its place in the learning-rate schedule.

    Attributes:
        network: being trained.
        optimizer: of its parameters.
        generator: of all random draws, on the CPU.
        recipe: how to train.
        num_steps: steps of an epoch.
    """

    def __init__(
        self,
        network: nn.Module,
        data: ImageDataset,
        recipe: Recipe,
        generator: torch.Generator,
        weights: Tensor | None,
        device: str,
        weights_per_batch: bool = False,
    ) -> None:
        """Move network and data to the device; weights are brought to mean 1, of all or in each batch."""
        self.device = torch.device(device)
        self._layout = memory_layout(network, self.device)
        self.network = network.to(self.device, memory_format=self._layout)  # type: ignore[call-overload]
        self.optimizer = _optimizer(network, recipe)
        self.generator = generator
        self.num_steps = len(split_batches(torch.arange(len(data)), recipe.batch_size))
        self._rates = learning_rates(recipe, recipe.epochs * self.num_steps)
        self._data = on_device(data, device)
        self._weights = None if weights is None else (weights / weights.double().mean()).float().to(self.device)
        self._weights_per_batch = weights_per_batch
        self.recipe = recipe
        self._compiled = _compile(network) if recipe.compile else network
        self._compiled_sizes = (min(recipe.batch_size, len(data)), _EVALUATION_BATCH)

    def begin_epoch(self) -> Epoch:
        """Draw the order of a new epoch."""
        return Epoch(torch.randperm(len(self._data), generator=self.generator))

    def run_epoch(self, number: int, epoch: Epoch, after_step: Callable[[Epoch], None]) -> float:
        """Take the steps of epoch `number` (from 1) that are left, and return the mean loss per sample of all.

        Args:
            number: of the epoch, for its learning rates.
            epoch: from `begin_epoch`, or as it was when another process stopped.
            after_step: called with the epoch after each step.
        """
        batches = split_batches(epoch.order, self.recipe.batch_size)
        rates = self._rates[(number - 1) * self.num_steps :]
        taken = len(epoch.losses)
        self.network.train()
        with dropout_from(self.generator, self.device, resumed=epoch.random_state):
            for batch, rate in zip(batches[taken:], rates[taken:], strict=False):
                epoch.losses.append(self._step(batch, rate))
                epoch.random_state = torch.get_rng_state()
                after_step(epoch)
        # Read once an epoch: reading every step would make a GPU wait.
        sizes = torch.tensor([len(batch) for batch in batches])
        return (torch.stack(epoch.losses).cpu().double() @ sizes.double()).item() / len(epoch.order)

    def accuracy_percent(self, test: ImageDataset) -> float:
        """Accuracy on `test` in percent, in the recipe's precision."""
        return accuracy_percent(
            self.network, test, batch_size=_EVALUATION_BATCH, device=str(self.device), forward=self._forward
        )

    def _step(self, batch: Tensor, rate: float) -> Tensor:
        """One update on the images `batch` at learning rate `rate`; returns their mean loss."""
        batch = batch.to(self.device)
        images, labels = self._data.normalized(batch), self._data.labels[batch]
        padding, flip = self.recipe.crop_padding, self.recipe.flip
        if padding or flip:
            images = random_crop_flip(images, padding=padding, flip=flip, generator=self.generator)
        losses = functional.cross_entropy(self._forward(images), labels, reduction="none")
        loss = (losses if self._weights is None else self._weights_of(batch) * losses).mean()
        loss.backward()
        self.optimizer.step(rate)
        return loss.detach()

    def _weights_of(self, batch: Tensor) -> Tensor:
        assert self._weights is not None
        weights = self._weights[batch]
        return weights / weights.mean() if self._weights_per_batch else weights

    def _forward(self, images: Tensor) -> Tensor:
        """Logits in float32. Only the usual sizes are compiled: every further shape would be compiled anew."""
        network = self._compiled if len(images) in self._compiled_sizes else self.network
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.recipe.precision == "bfloat16"):
            logits: Tensor = network(images.contiguous(memory_format=self._layout)).float()
            return logits


def split_batches(order: Tensor, batch_size: int) -> tuple[Tensor, ...]:
    """Cut `order` into batches; the last may be smaller, but not one alone.

    Batch normalisation has no variance to divide by when it sees one sample, so a single left-over sample joins the
    batch before it.

    >>> [len(batch) for batch in split_batches(torch.arange(7), 3)]
    [3, 4]
    >>> [len(batch) for batch in split_batches(torch.arange(8), 3)]
    [3, 3, 2]
    """
    batches: tuple[Tensor, ...] = order.split(batch_size)
    if len(batches) > 1 and len(batches[-1]) == 1 and batch_size > 1:
        return (*batches[:-2], torch.cat(batches[-2:]))
    return batches


def _compile(network: nn.Module) -> nn.Module:
    """Compile for fixed shapes, from a clean slate.

    torch counts compilations over all networks of a process and quietly stops compiling past a limit, which would make
    a result depend on what ran before it; `fullgraph` makes that, and any other retreat to eager mode, an error.
    """
    torch.compiler.reset()
    return torch.compile(network, dynamic=False, fullgraph=True)  # type: ignore[return-value]


def _optimizer(network: nn.Module, recipe: Recipe) -> Sgd | Adam:
    if recipe.optimizer == "adam":
        return Adam(network, weight_decay=recipe.weight_decay)
    return Sgd(network, momentum=recipe.momentum, nesterov=recipe.nesterov, weight_decay=recipe.weight_decay)
