"""The canonical releases, read and if necessary downloaded by torchvision, which verifies their MD5."""

from functools import partial
from http.client import HTTPException
from pathlib import Path
from tarfile import TarError
from typing import Any

import numpy as np
import torch

from lcmat.config.datasets import TRAIN, DatasetSpec
from lcmat.data.errors import DataError
from lcmat.data.source import Decoded, Source, check


def source(spec: DatasetSpec, split: str, folder: Path, *, download: bool) -> Source:
    """The split of the canonical release; there is but one, so its decoded copy serves whatever the folder is."""
    return Source("canonical", f"{spec.title}, canonical release.", partial(_decode, spec, split, folder, download))


def _decode(spec: DatasetSpec, split: str, folder: Path, download: bool) -> Decoded:
    if spec.torchvision is None:
        raise DataError(f"{spec.title}: {_not_found(spec, split, folder)} It cannot be downloaded. {_remedy(spec)}")
    try:
        dataset = _torchvision(spec.torchvision.dataset, split, folder, download)
    except (ImportError, RuntimeError, OSError, EOFError, HTTPException, TarError) as error:
        what = "could not download it" if download else "found no whole copy, and downloading was not allowed"
        reason = f"torchvision {what} ({type(error).__name__}: {error})."
        raise DataError(f"{spec.title}: {_not_found(spec, split, folder)} {reason} {_remedy(spec)}") from error
    names = spec.class_names or tuple(dataset.classes)
    labels = dataset.labels if hasattr(dataset, "labels") else dataset.targets
    decoded = Decoded(_images(dataset.data), torch.as_tensor(labels, dtype=torch.int64), names)
    origin = str(folder / spec.torchvision.files[split])
    return check(decoded, spec, split, origin, "Take the file away, so that it is downloaded again.")


def _torchvision(name: str, split: str, folder: Path, download: bool) -> Any:
    from torchvision import datasets

    choice = {"split": split} if name == "SVHN" else {"train": split == TRAIN}
    return getattr(datasets, name)(folder, download=download, **choice)


def _images(pixels: Any) -> torch.Tensor:
    """To (n, channels, height, width): MNIST has no channels, CIFAR has them last, SVHN where they belong."""
    array = np.asarray(pixels)
    if array.ndim == 3:
        array = array[:, None]
    elif array.shape[-1] == 3:
        array = array.transpose(0, 3, 1, 2)
    return torch.from_numpy(np.ascontiguousarray(array))


def _not_found(spec: DatasetSpec, split: str, folder: Path) -> str:
    parquet = [spec.parquet[split].name] if split in spec.parquet else []
    archive = [spec.torchvision.files[split]] if spec.torchvision else []
    return f"not found: looked for {' and '.join(parquet + archive)} in {folder}."


def _remedy(spec: DatasetSpec) -> str:
    parquet = ", ".join(f"{file.name} (SHA-256 {file.sha256})" for file in spec.parquet.values())
    remedies = [f"put {parquet} there"] if parquet else []
    if spec.torchvision:
        remedies.append("repeat this once with network access and the folder writable")
    return f"Either {', or '.join([*remedies, 'set LCMAT_DATA to a folder that has the data'])}."
