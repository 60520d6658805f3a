"""Adam, with which half of the paper's robustness study (Figure 3) trains its selecting networks."""

import torch
from torch import Tensor, nn

_DECAYS = (0.9, 0.999)
_EPSILON = 1e-8


class Adam:
    """Adam with weight decay added to the gradient, the update of `torch.optim.Adam` at its default settings.

    With gradient g, weight decay w, step t and learning rate eta (Kingma & Ba, ICLR 2015, Algorithm 1):
    g <- g + w theta;  m <- 0.9 m + 0.1 g;  v <- 0.999 v + 0.001 g^2;
    theta <- theta - eta (m / (1 - 0.9^t)) / (sqrt(v / (1 - 0.999^t)) + 1e-8).

    Attributes:
        buffers: m and v of each parameter by its name, and the number of steps; all that a step depends on beside the
            parameters and their gradients.

    >>> network = nn.Linear(1, 1, bias=False)
    >>> _ = nn.init.constant_(network.weight, 2.0)
    >>> adam = Adam(network, weight_decay=0.0)
    >>> network.weight.grad = torch.tensor([[3.0]])
    >>> adam.step(0.1)  # the first step has the size of the learning rate
    >>> round(network.weight.item(), 4)
    1.9
    """

    def __init__(self, network: nn.Module, *, weight_decay: float) -> None:
        """Prepare to update the parameters of `network`; gradients that linger from before are dropped."""
        network.zero_grad()
        self._parameters = dict(network.named_parameters())
        self._weight_decay = weight_decay
        self.buffers: dict[str, Tensor] = {"steps": torch.zeros((), dtype=torch.int64)}
        for name, parameter in self._parameters.items():
            self.buffers |= {f"m.{name}": torch.zeros_like(parameter), f"v.{name}": torch.zeros_like(parameter)}

    @torch.no_grad()
    def step(self, learning_rate: float) -> None:
        """Update every parameter that has a gradient, and drop the gradients."""
        self.buffers["steps"] += 1
        steps = int(self.buffers["steps"])
        first, second = (1 - decay**steps for decay in _DECAYS)
        for name, parameter in self._parameters.items():
            if parameter.grad is None:
                continue
            gradient = parameter.grad.add(parameter, alpha=self._weight_decay)
            mean, square = self.buffers[f"m.{name}"], self.buffers[f"v.{name}"]
            mean.lerp_(gradient, 1 - _DECAYS[0])
            square.mul_(_DECAYS[1]).addcmul_(gradient, gradient, value=1 - _DECAYS[1])
            parameter.addcdiv_(mean, square.div(second).sqrt_().add_(_EPSILON), value=-learning_rate / first)
            parameter.grad = None
