"""Parameters that are valid one by one and cannot work together, found before anything is trained.

Whatever needs torch to be seen is found by `lcmat.experiments.session.check_built_networks`.
"""

from collections.abc import Iterable

from lcmat.config.base import nearest
from lcmat.config.datasets import DATASETS
from lcmat.config.defaults import AUGMENTATIONS, Values
from lcmat.config.registry import METHODS, MODELS, ZOO_PREFIX

HELD_OUT_SHARE = 0.1
"""Of each class, where a method or the choice of rho needs images to judge by."""


def check_selection(values: Values) -> None:
    """Refuse a run of the selection benchmark that would fail.

    Args:
        values: parameter -> value, resolved.

    Raises:
        ValueError: the message names a parameter and the remedy.

    >>> check_selection({"dataset": "cifar100", "method": "uniform", "network": "resnet18", "fraction": 0.001})
    Traceback (most recent call last):
    ValueError: fraction: 0.001 of the 500 images of a class rounds to 0 samples: use a fraction above 0.001
    """
    networks = [values[name] for name in ("network", "learner") if name in values]
    check_networks(values, ("network", "width"), ("learner", "learner_width"))
    sizes = class_sizes(values["dataset"], values.get("imbalance"))
    validated = "validation" in METHODS[values["method"]].evidence
    held_out = validated or bool(values.get("rho_choice"))
    _check_fraction(values, [sum(sizes)] if values.get("across_classes") and not held_out else sizes)
    if validated and min(sizes) < 2:
        raise ValueError(
            f"method: {values['method']!r} needs a held-out image of each class, and one has but one image"
        )
    if held_out:
        _check_held_out(values, sizes)
    if values.get("batch_norm") and _lacks_batch_norm(values["network"]):
        raise ValueError(f"batch_norm: the network {values['network']!r} has no batch norm; leave it out")
    if values.get("batch_size") == 1 and not all(map(_lacks_batch_norm, networks)):
        raise ValueError("batch_size: batch norm has no variance to divide by in a batch of one image; take 2 or more")
    size = DATASETS[values["dataset"]].image_size
    if values.get("crop_padding", 0) >= size:
        raise ValueError(f"crop_padding: only less than {size} pixels of a {size}x{size} image can be reflected")


def check_networks(values: Values, *pairs: tuple[str, str]) -> None:
    """Refuse networks of torchvision for grey images, or of another width.

    Args:
        values: parameter -> value, resolved.
        pairs: names of the parameters that hold a network and its width.

    Raises:
        ValueError: there is such a network.
    """
    channels = DATASETS[values["dataset"]].channels
    for network, width in pairs:
        name = str(values.get(network))
        if name.startswith(ZOO_PREFIX) and channels != 3:
            raise ValueError(f"{network}: {name!r} takes three channels, and {values['dataset']} has {channels}")
        if name.startswith(ZOO_PREFIX) and width in values:
            raise ValueError(f"{width}: {name!r} has its own; leave it out")


def check_augmentations(values: Values, *names: str) -> None:
    """Refuse operations that do not exist.

    Raises:
        ValueError: there is one; the message says the nearest.

    >>> check_augmentations({"augmentation": "colr_crop"}, "augmentation")
    Traceback (most recent call last):
    ValueError: augmentation: 'colr' is no operation; did you mean 'color'?
    """
    for name in names:
        strategy = values.get(name) or "none"
        for word in [] if strategy == "none" else strategy.split("_"):
            if word not in AUGMENTATIONS:
                raise ValueError(f"{name}: {word!r} is no operation; {nearest(word, dict.fromkeys(AUGMENTATIONS))}")


def check_images_per_class(values: Values) -> None:
    """Refuse to take more images of a class than there are.

    Raises:
        ValueError: the smallest class has too few.
    """
    smallest = min(DATASETS[values["dataset"]].class_sizes)
    if values["ipc"] > smallest:
        raise ValueError(f"ipc: a class of {values['dataset']} has only {smallest} images; take fewer")


def class_sizes(dataset: str, imbalance: float | None = None) -> list[int]:
    """Training images of each class, after the long tail of `lcmat.data.corruption.long_tailed` if that is asked for.

    >>> class_sizes("digits")[:2], class_sizes("digits", 10.0)[-2:]
    ([142, 146], [18, 14])
    """
    sizes = DATASETS[dataset].class_sizes
    shares = [1.0 if imbalance is None else imbalance ** (-k / (len(sizes) - 1)) for k in range(len(sizes))]
    return [max(1, round(share * size)) for share, size in zip(shares, sizes, strict=True)]


def _lacks_batch_norm(network: str) -> bool:
    """Whether it is known to have none; what torchvision's have, nobody knows before they are built."""
    return network in MODELS and not MODELS[network].batch_norm


def _check_fraction(values: Values, sizes: Iterable[int]) -> None:
    smallest = min(sizes)
    if round(values["fraction"] * smallest) == 0:
        of = f"{values['fraction']:g} of the {smallest} images of a class"
        raise ValueError(f"fraction: {of} rounds to 0 samples: use a fraction above {-(-50000 // smallest) / 100000:g}")


def _check_held_out(values: Values, sizes: list[int]) -> None:
    left = sum(size - min(max(1, round(HELD_OUT_SHARE * size)), size - 1) for size in sizes)
    if sum(round(values["fraction"] * size) for size in sizes) > left:
        kept = f"{sum(sizes) - left} of {sum(sizes)} images are held out"
        raise ValueError(f"fraction: {values['fraction']:g} cannot be selected by {values['method']!r}: {kept}")
