"""Decoded splits on disk, so that only the first load takes time."""

import os
from pathlib import Path

from lcmat.config.datasets import DatasetSpec
from lcmat.config.warning import warn
from lcmat.data.dataset import ImageDataset, channel_statistics, content_hash
from lcmat.data.source import Source
from lcmat.files import checkpoints
from lcmat.files.degrading import optional

# Part of every file name: a change in how splits are decoded needs a new number.
_FORMAT = 2


def cached(source: Source, spec: DatasetSpec, split: str, folder: Path) -> ImageDataset:
    """The decoded split, from the cache or else from the source into the cache.

    A damaged entry is made again; a folder that cannot be used costs time and a warning, nothing else.

    Args:
        source: where the split comes from.
        spec: of which data set.
        split: "train" or "test".
        folder: of the cache.

    Returns:
        The split with the mean and std of its own images.

    Raises:
        DataError: the source is damaged.
    """
    name = f"{spec.name}-{split}-{source.key}-{_FORMAT}"
    path = folder / f"{name}.safetensors"
    try:
        with optional():
            if os.path.exists(path):
                return _read(path, name, spec, split, source.provenance)
    except checkpoints.CorruptArtifactError as error:
        warn(f"{error} It is being made again now.", RuntimeWarning)
    dataset = _decode(spec, split, source)
    with optional():
        _write(path, name, dataset)
    return dataset


def _read(path: Path, name: str, spec: DatasetSpec, split: str, provenance: str) -> ImageDataset:
    tensors, metadata = checkpoints.load(path)
    if metadata.get("name") != name:
        raise checkpoints.CorruptArtifactError(path, f"it holds {metadata.get('name')} under another name")
    names, mean, std = (tuple(metadata[key]) for key in ("class_names", "mean", "std"))
    images, labels, digest = tensors["images"], tensors["labels"], metadata["content_hash"]
    return ImageDataset(spec.name, split, images, labels, names, mean, std, digest, provenance)


def _write(path: Path, name: str, dataset: ImageDataset) -> None:
    metadata = {key: getattr(dataset, key) for key in ("class_names", "mean", "std", "content_hash")}
    metadata["name"] = name
    checkpoints.save(path, {"images": dataset.images, "labels": dataset.labels}, metadata)


def _decode(spec: DatasetSpec, split: str, source: Source) -> ImageDataset:
    images, labels, class_names = source.decode()
    mean, std = channel_statistics(images)
    digest = content_hash(images, labels)
    return ImageDataset(spec.name, split, images, labels, class_names, mean, std, digest, source.provenance)
