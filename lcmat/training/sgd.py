"""Stochastic gradient descent with momentum, the optimizer of nearly all the paper's experiments."""

import torch
from torch import Tensor, nn


class Sgd:
    """SGD with weight decay and (Nesterov) momentum, the update of `torch.optim.SGD`.

    With gradient g, weight decay w, momentum m and learning rate eta:
    g <- g + w theta;  v <- m v + g;  theta <- theta - eta (g + m v) with Nesterov's form, theta - eta v without.

    (Making any `torch.optim` optimizer loads torch's compiler: five seconds of CPU, more than a whole run on digits.)

    Attributes:
        velocities: v of each parameter by its name; zeros at first.

    >>> network = nn.Linear(1, 1, bias=False)
    >>> _ = nn.init.constant_(network.weight, 2.0)
    >>> sgd = Sgd(network, momentum=0.5, nesterov=True, weight_decay=0.5)
    >>> network.weight.grad = torch.tensor([[1.0]])  # g = 1 + 0.5 * 2, v = g
    >>> sgd.step(0.1)  # 2 - 0.1 * (2 + 0.5 * 2)
    >>> round(network.weight.item(), 4), sgd.velocities["weight"].item()
    (1.7, 2.0)
    """

    def __init__(self, network: nn.Module, *, momentum: float, nesterov: bool, weight_decay: float) -> None:
        """Prepare to update the parameters of `network`; gradients that linger from before are dropped."""
        network.zero_grad()
        self._parameters = dict(network.named_parameters())
        self._momentum = momentum
        self._nesterov = nesterov
        self._weight_decay = weight_decay
        self.velocities = {name: torch.zeros_like(parameter) for name, parameter in self._parameters.items()}

    @property
    def buffers(self) -> dict[str, Tensor]:
        """All that a step depends on beside the parameters and their gradients."""
        return self.velocities

    @torch.no_grad()
    def step(self, learning_rate: float) -> None:
        """Update every parameter that has a gradient, and drop the gradients."""
        gradients_by_name = {name: p.grad for name, p in self._parameters.items() if p.grad is not None}
        gradients = list(gradients_by_name.values())
        parameters: list[Tensor] = [self._parameters[name] for name in gradients_by_name]
        velocities = [self.velocities[name] for name in gradients_by_name]
        torch._foreach_add_(gradients, parameters, alpha=self._weight_decay)
        torch._foreach_mul_(velocities, self._momentum)
        torch._foreach_add_(velocities, gradients)
        if self._nesterov:
            torch._foreach_add_(gradients, velocities, alpha=self._momentum)
        torch._foreach_add_(parameters, gradients if self._nesterov else velocities, alpha=-learning_rate)
        for parameter in parameters:
            parameter.grad = None
