"""How often each training image was forgotten while the selecting network was trained."""

import torch
from torch import Tensor

from lcmat.config import SelectionParameters
from lcmat.data import Splits
from lcmat.experiments.evidence.networks import Gathered, Progresses, cached_evidence
from lcmat.experiments.seeds import derived_seed
from lcmat.experiments.selecting import PURPOSE, make_network, selector_recipe
from lcmat.models import Network
from lcmat.training import train
from lcmat.training.evaluation import predict


def forgetting_events(
    parameters: SelectionParameters, splits: Splits, device: str, progress: Progresses | None = None
) -> Gathered:
    """Events counted on the training of the selecting network, float64 ``(n,)``, see `count_forgetting`.

    Correctness is evaluated on all training images after each epoch, in evaluation mode.  (Toneva et al. note it when
    an image is in the batch being trained on: once an epoch too, but at another moment for each image.)
    """

    def compute() -> dict[str, Tensor]:
        _, correct = watched_training(parameters, splits, device, progress)
        return {"forgetting_events": count_forgetting(correct)}

    tensors, details = cached_evidence(__name__, parameters, splits, device, compute)
    return Gathered(tensors["forgetting_events"], details["seconds"])


def watched_training(
    parameters: SelectionParameters, splits: Splits, device: str, progress: Progresses | None = None
) -> tuple[Network, Tensor]:
    """Train the selecting network once more, and see which images it has right after each epoch: bool ``(epochs, n)``.

    On the CPU it is the network that the cache keeps, bit for bit.
    """
    history: list[Tensor] = []
    network = make_network(parameters, splits.train, PURPOSE)
    report = progress and progress("forgetting")

    def watch(epoch: float, epochs: int, loss: float, accuracy: float | None) -> None:
        logits = predict(network, splits.train, batch_size=512, device=device)
        history.append(logits.argmax(dim=1).cpu() == splits.train.labels)
        if report:
            report(epoch, epochs, loss, accuracy)

    generator = torch.Generator().manual_seed(derived_seed(parameters.seed, f"{PURPOSE}: draws"))
    recipe = selector_recipe(parameters)
    train(network, splits.train, recipe=recipe, generator=generator, device=device, progress=watch)
    return network, torch.stack(history)


def count_forgetting(correct: Tensor) -> Tensor:
    """Number of forgetting events: classified correctly after an epoch, wrongly after the next (Toneva et al., Sec. 3).

    Images that were never classified correctly count as most forgettable: one event for each epoch, which no other
    image reaches.

    Args:
        correct: whether an image was right after an epoch, bool ``(epochs, n)``.

    Returns:
        float64 ``(n,)``.

    >>> count_forgetting(torch.tensor([[True, True, False], [False, True, False], [True, True, False]]))
    tensor([1., 0., 3.], dtype=torch.float64)
    """
    events = (correct[:-1] & ~correct[1:]).sum(dim=0)
    return torch.where(correct.any(dim=0), events, len(correct)).double()
