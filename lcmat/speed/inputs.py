"""Samples that stand for one class behind a network's last layer."""

import torch

from lcmat.curvature.last_layer import LastLayer

RHO, TOP_K = 0.1, 100  # of LCMat-S
LATENT_DIMENSIONS = 10  # of the structured class; features of trained networks vary in few directions


def random_class(samples: int, features: int, classes: int, seed: int) -> LastLayer:
    """Independent non-negative features and confident logits, one label, float64: nothing to exploit."""
    generator = torch.Generator().manual_seed(seed)
    h = torch.randn(samples, features, generator=generator, dtype=torch.float64).relu()
    z = 3 * torch.randn(samples, classes, generator=generator, dtype=torch.float64)
    return LastLayer(h, z, torch.zeros(samples, dtype=torch.int64))


def structured_class(samples: int, features: int, classes: int, seed: int) -> LastLayer:
    """Features behind a ReLU that vary in few directions, logits linear in them, one label, float64."""
    generator = torch.Generator().manual_seed(seed)
    shapes = ((samples, LATENT_DIMENSIONS), (LATENT_DIMENSIONS, features), (samples, features), (features, classes))
    latent, mixing, noise, layer = (torch.randn(*s, generator=generator, dtype=torch.float64) for s in shapes)
    h = (latent @ mixing / LATENT_DIMENSIONS**0.5 + 0.1 * noise).relu()
    return LastLayer(h, h @ layer / features**0.5 * 3, torch.zeros(samples, dtype=torch.int64))
