"""Condensed sets to take away: the learnt images of each recorded run of one seed, as tensors and as a picture.

Those of the digits are made by each build. Those of Fashion-MNIST lie in `book/condensed`, as the runs left them in the
cache. Those of larger images would swell the repository, and `lcmat run` makes them again.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from lcmat.condensation import SyntheticSet, load_set, save_set
from lcmat.files.checkpoints import CorruptArtifactError
from lcmat.files.paths import atomic_write, cache_folder, project_folder
from lcmat.report.condensation import condensation_label
from lcmat.report.runs import ACCURACY
from lcmat.report.sentences import in_words
from lcmat.report.tables import not_run, table

if TYPE_CHECKING:
    from great_tables import GT
    from IPython.display import HTML

    from lcmat.records.record import Record

FOLDER = "condensed"
SEED = 0
ARTIFACT = "synthetic_set"
"""Under which a record has the hash of its set."""

SIDE = 32
"""Pixels to which a smaller image is enlarged in a picture."""


def sets_at_hand(records: Sequence[Record]) -> Iterator[tuple[Record, SyntheticSet]]:
    """The learnt sets of seed 0 in the repository or the cache, each once, with the first record that has it."""
    wanted: dict[str, Record] = {}
    for record in records:
        if record.seed == SEED and record.status == "done" and ARTIFACT in record.artifacts:
            wanted.setdefault(record.artifacts[ARTIFACT], record)
    folders = (project_folder() / "book" / FOLDER, cache_folder() / FOLDER)
    for path in sorted(path for folder in folders for path in folder.glob("*/*.safetensors")):
        try:
            condensed = load_set(path)
        except (CorruptArtifactError, ValueError, OSError):
            continue  # the run that needs it makes it again
        if condensed.content_hash in wanted:
            yield wanted.pop(condensed.content_hash), condensed


def write_sets(records: Sequence[Record], folder: Path) -> list[Path]:
    """Write `<folder>/condensed/<key>.safetensors`, which `lcmat.condensation.load_set` reads, and `<key>.png`."""
    paths = []
    for record, condensed in sets_at_hand(records):
        place = folder / FOLDER / record.key
        save_set(place.with_suffix(".safetensors"), condensed)
        atomic_write(place.with_suffix(".png"), picture(condensed))
        paths += [place.with_suffix(".safetensors"), place.with_suffix(".png")]
    return paths


def sets_table(records: Sequence[Record], name: str, root: str) -> GT | HTML:
    """List the files with the accuracy of a network that was trained on the images alone.

    Args:
        records: of condensation.
        name: identifier of the table, unique on its page.
        root: address of the site's first page as this one sees it, such as ``"../.."``.
    """
    rows = [_row(record, root) for record, _ in sets_at_hand(records)]
    if not rows:
        return not_run("There is no condensed set here, nor in this machine's cache.")
    rows.sort(key=lambda row: (row["group"], row["Method"]))
    return table(rows, name).fmt_markdown(["Images", "Picture"])


def picture(condensed: SyntheticSet) -> bytes:
    """A PNG file of all stored images, a row for each class, each enlarged to at least 32 pixels a side."""
    pixels = condensed.pixels().permute(0, 2, 3, 1).numpy()
    pixels = pixels.repeat(-(-SIDE // pixels.shape[1]), axis=1).repeat(-(-SIDE // pixels.shape[2]), axis=2)
    rows = pixels.reshape(-1, condensed.ipc, *pixels.shape[1:])
    sheet = np.concatenate([np.concatenate(list(row), axis=1) for row in rows])
    buffer = io.BytesIO()
    Image.fromarray(sheet if sheet.shape[-1] == 3 else sheet[..., 0]).save(buffer, "png", optimize=True)
    return buffer.getvalue()


def _row(record: Record, root: str) -> dict[str, Any]:
    parameters, address = record.parameters, f"{root}/{FOLDER}/{record.key}"
    return {
        "group": f"{parameters['ipc']} images per class of {in_words(parameters['dataset'])}",
        "Method": condensation_label(parameters),
        "Accuracy (%)": f"{record.metrics[ACCURACY]:.2f}",
        "Images": f"[{record.key}.safetensors]({address}.safetensors)",
        "Picture": f"[{record.key}.png]({address}.png)",
    }
