"""Parquet files of encoded images, in the layout of Hugging Face: `image.bytes` and `label`.

Where a file has the column `index`, the rows are put into that order: the canonical release's, whatever the file's is.
"""

import hashlib
import io
import json
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch

from lcmat.config.datasets import DatasetSpec
from lcmat.data.errors import DataError
from lcmat.data.source import Decoded, Source, check
from lcmat.files.extras import require

if TYPE_CHECKING:
    import pyarrow

_REMEDY = "Replace it by the file whose SHA-256 `lcmat.data.DATASETS` states."


def source(spec: DatasetSpec, split: str, folder: Path) -> Source:
    """The split in its Parquet file, whose hash is checked here, at every load.

    Raises:
        DataError: the file is missing or is not the expected one.
    """
    path = folder / spec.parquet[split].name
    content = _verified(spec, split, path)
    digest = spec.parquet[split].sha256
    provenance = f"{spec.parquet_provenance}; Parquet SHA-256 {digest[:8]}."
    return Source(digest[:16], provenance, partial(_decode, spec, split, path, content))


def _verified(spec: DatasetSpec, split: str, path: Path) -> bytes:
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        others = [path.with_name(file.name).name for key, file in spec.parquet.items() if key != split]
        raise DataError(
            f"{path} is missing, though {others[0]} is there: one copy of {spec.title} cannot be tested on another. "
            f"Put the missing file there, or take {others[0]} away to use the canonical release instead."
        ) from None
    except OSError as error:
        raise DataError(f"{path} cannot be read ({error}). Make it readable, or set LCMAT_DATA elsewhere.") from error
    digest, expected = hashlib.sha256(content).hexdigest(), spec.parquet[split].sha256
    if digest != expected:
        swapped = [file.name for file in spec.parquet.values() if file.sha256 == digest]
        what = f"it is {swapped[0]} under another name" if swapped else "truncated, altered or another version"
        raise DataError(
            f"{path} ({len(content)} bytes) has SHA-256 {digest}, expected {expected}: {what}. "
            f"Copy or download the file again, or take it away."
        )
    return content


def _decode(spec: DatasetSpec, split: str, path: Path, content: bytes) -> Decoded:
    table = _table(path, content)
    encoded = table["image"].combine_chunks().field("bytes").to_pylist()
    order = _canonical_order(path, table)
    images, labels = _images(spec, path, encoded)[order], torch.tensor(table["label"].to_numpy(), dtype=torch.int64)
    names = _class_names(path, table.schema.metadata or {})
    return check(Decoded(images, labels[order], names), spec, split, str(path), _REMEDY)


def _canonical_order(path: Path, table: "pyarrow.Table") -> torch.Tensor:
    """Rows of the file in the order that its column `index` states; without one, as they are."""
    if "index" not in table.column_names:
        return torch.arange(len(table))
    positions = torch.tensor(table["index"].to_numpy(), dtype=torch.int64)
    if not torch.equal(positions.sort().values, torch.arange(len(table))):
        raise DataError(f"{path}: the column 'index' does not number the rows 0 ... {len(table) - 1}. {_REMEDY}")
    return positions.argsort()


def _table(path: Path, content: bytes) -> "pyarrow.Table":
    require("run", "pyarrow")
    import pyarrow
    from pyarrow import parquet

    try:
        table = parquet.read_table(pyarrow.BufferReader(content))
    except pyarrow.ArrowException as error:
        raise DataError(f"{path} is not a Parquet file ({error}). {_REMEDY}") from error
    missing = [name for name in ("image", "label") if name not in table.column_names]
    if missing:
        raise DataError(f"{path} has no column {missing[0]!r}, only {', '.join(table.column_names)}. {_REMEDY}")
    return table


def _images(spec: DatasetSpec, path: Path, encoded: Sequence[bytes]) -> torch.Tensor:
    """Decode one by one: threads gain nothing, Pillow holds the interpreter's lock for images this small."""
    from PIL import Image

    images = np.empty((len(encoded), *spec.image_shape), dtype=np.uint8)
    for row, content in enumerate(encoded):
        try:
            pixels = np.asarray(Image.open(io.BytesIO(content)))
        except (OSError, SyntaxError, TypeError, ValueError) as error:
            raise DataError(f"{path}, row {row}: not an image ({error}). {_REMEDY}") from error
        images[row] = _channels_first(spec, pixels, f"{path}, row {row}")
    return torch.from_numpy(images)


def _channels_first(spec: DatasetSpec, pixels: np.ndarray, origin: str) -> np.ndarray:
    image = pixels[None] if pixels.ndim == 2 else pixels.transpose(2, 0, 1)
    if image.shape != spec.image_shape:
        raise DataError(f"{origin}: an image of shape {image.shape}, expected {spec.image_shape}. {_REMEDY}")
    return image


def _class_names(path: Path, metadata: dict[bytes, bytes]) -> tuple[str, ...]:
    """Tiny-ImageNet's names are WordNet identifiers; it states words beside them, of which the first is distinct."""
    entry = metadata.get(b"words", metadata.get(b"class_names"))
    if entry is None:
        raise DataError(f"{path} states no class names in its schema metadata. {_REMEDY}")
    names = json.loads(entry)
    return tuple(name.split(",")[0] for name in names) if b"words" in metadata else tuple(names)
