"""Random draws: all from one generator on the CPU, those of dropout included."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor


def check_generator(generator: torch.Generator) -> None:
    """Refuse a generator whose draws depend on the device.

    Raises:
        ValueError: it is not on the CPU.
    """
    if generator.device.type != "cpu":
        raise ValueError(f"the generator must be on the CPU, not on {generator.device}: draws must not depend on it")


@contextmanager
def dropout_from(generator: torch.Generator, device: torch.device, resumed: Tensor | None = None) -> Iterator[None]:
    """Let layers that draw from the global random state (dropout) depend on `generator`; restore that state after.

    Args:
        generator: on the CPU.
        device: where the layers compute.
        resumed: state of the CPU's generator to go on with, instead of a new one drawn from `generator`.
    """
    seed = 0 if resumed is not None else int(torch.randint(2**62, (), generator=generator))
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        torch.default_generator.manual_seed(seed)
        if device.type == "cuda":
            torch.cuda.manual_seed(seed)
        if resumed is not None:
            torch.set_rng_state(resumed)
        yield
