"""From the name of a data set to its two splits."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from lcmat.config.arguments import checked
from lcmat.config.base import nearest
from lcmat.config.datasets import DATASETS, SPLITS, DatasetSpec
from lcmat.files import paths

if TYPE_CHECKING:
    from lcmat.data.dataset import Splits
    from lcmat.data.source import Source


@checked()
def load(
    name: str, *, folder: Path | str | None = None, cache: Path | str | None = None, download: bool = True
) -> "Splits":
    """Load a data set: Parquet files of known hash first, else the canonical release through torchvision.

    Args:
        name: a key of `lcmat.data.DATASETS`.
        folder: where the files are, and where downloads go; None: $LCMAT_DATA, see `lcmat.files.paths.data_folder`.
        cache: where decoded splits are kept; None: `decoded` in `lcmat.files.paths.cache_folder`.
        download: whether a missing data set may be fetched from the network.

    Returns:
        The train and the test split, both with the train split's mean and std.

    Raises:
        ValueError: there is no data set of this name.
        DataError: a file is missing, cannot be downloaded, is damaged or is not what it should be.

    >>> train, test = load("digits")
    >>> len(train), len(test), tuple(train.images.shape[1:]), train.num_classes
    (1437, 360, (1, 8, 8), 10)
    """
    if name not in DATASETS:
        hint = nearest(name, DATASETS, cutoff=0)
        raise ValueError(f"no data set {name!r}; {hint} Known: {', '.join(DATASETS)}")
    return load_spec(
        DATASETS[name],
        folder=Path(folder or paths.data_folder()),
        cache=Path(cache or paths.cache_folder() / "decoded"),
        download=download,
    )


def load_spec(spec: DatasetSpec, *, folder: Path, cache: Path, download: bool) -> "Splits":
    """Load the data set that `spec` describes; otherwise as `load`."""
    from lcmat.data.cache import cached
    from lcmat.data.dataset import Splits

    # Both sources first: a missing test file is reported before the train file is decoded.
    sources = [_source(spec, split, folder, download) for split in SPLITS]
    train, test = (cached(source, spec, split, cache) for source, split in zip(sources, SPLITS, strict=True))
    return Splits(train, replace(test, mean=train.mean, std=train.std))


def _source(spec: DatasetSpec, split: str, folder: Path, download: bool) -> "Source":
    """Parquet files win as soon as one of the two is there: splits of two copies must not be mixed."""
    from lcmat.data import canonical, digits, parquet

    if spec.name == "digits":
        return digits.source(spec, split)
    if any((folder / file.name).exists() for file in spec.parquet.values()):
        return parquet.source(spec, split, folder)
    return canonical.source(spec, split, folder, download=download)
