"""Files of coresets and condensed sets beside the site: what a reader loads from them is what was chosen or learnt."""

import hashlib
import io
import json
import re
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from lcmat.condensation import SyntheticSet, load_set, save_set
from lcmat.config import CondensationParameters, SelectionParameters
from lcmat.files.paths import cache_folder
from lcmat.report.condensed_sets import picture, sets_table, write_sets
from lcmat.report.coresets import coresets_table, write_coresets
from tests.test_records import make_record

REAL = SelectionParameters(dataset="cifar10", method="craig", fraction=0.001, seed=3)
RECORDS = [
    make_record(REAL, indices=[7, 40_000, 12], metrics={"test_accuracy_percent": 23.456}),
    make_record(SelectionParameters(dataset="cifar10", method="uniform", seed=1), status="diverged", metrics={}),
    make_record(SelectionParameters(seed=1), indices=[1, 2]),  # digits: made anew by each build
]


def test_a_file_holds_the_indices_their_hash_and_the_run(tmp_path):
    (path,) = write_coresets(RECORDS, tmp_path)
    content = json.loads(path.read_text())
    assert path.relative_to(tmp_path).parts == ("coresets", f"{REAL.key}.json")
    assert content["indices"] == [7, 40_000, 12]
    assert content["indices_sha256"] == hashlib.sha256(b"[7,40000,12]").hexdigest()
    assert SelectionParameters(**content["parameters"]) == REAL
    assert content["test_accuracy_percent"] == 23.456 and content["dataset"] == "cifar10"


def test_the_table_links_every_file_and_no_other(tmp_path):
    page = coresets_table(RECORDS, "coresets", "../..").as_raw_html()
    links = re.findall(r'href="../../(coresets/[^"]+)"', page)
    assert links == [path.relative_to(tmp_path).as_posix() for path in write_coresets(RECORDS, tmp_path)]
    assert "Craig" in page and "23.46" in page
    another = make_record(
        REAL.model_copy(update={"seed": 1}), indices=[1, 2, 3], metrics={"test_accuracy_percent": 9.0}
    )
    both = coresets_table([*RECORDS, another], "coresets", "../..").as_raw_html()
    assert re.search(rf'{another.key}.json">1</a>: 9.00 · <a href="[^"]+{REAL.key}.json">3</a>: 23.46', both)
    assert "not run" in coresets_table(RECORDS[2:], "coresets", "../..").data


def condensed_set(shade=0.5):
    """Two images of each of two classes, as large as a digit; the last one is white."""
    images = torch.full((4, 1, 8, 8), shade)
    images[-1] = 1.0
    return SyntheticSet(images, torch.tensor([0, 0, 1, 1]), ("a", "b"), mean=(0.0,), std=(1.0,))


def condensed_record(condensed, seed=0, **changes):
    parameters = CondensationParameters(method="dm", seed=seed, **changes)
    artifacts = {"synthetic_set": condensed.content_hash}
    return make_record(parameters, experiment="condensation", seed=seed, artifacts=artifacts)


def test_a_condensed_set_is_given_once_with_the_first_run_that_learnt_it(tmp_path):
    ours, other = condensed_set(), condensed_set(0.25)
    for name, each in (("x", ours), ("y", other)):
        save_set(cache_folder() / f"condensed/digits/{name}.safetensors", each)
    (cache_folder() / "condensed/digits/z.safetensors").write_bytes(b"damaged")
    records = [
        condensed_record(ours),
        condensed_record(ours, test_network="convnet"),  # the same images, tested by another network
        condensed_record(other, seed=1),
        condensed_record(condensed_set(0.75), ipc=20),  # not in this cache
    ]
    tensors, shown = write_sets(records, tmp_path)
    assert tensors == tmp_path / f"condensed/{records[0].key}.safetensors" and shown.suffix == ".png"
    assert load_set(tensors).content_hash == ours.content_hash
    page = sets_table(records, "sets", "../..").as_raw_html()
    links = re.findall(r'href="../../(condensed/[^"]+)"', page)
    assert links == [path.relative_to(tmp_path).as_posix() for path in (tensors, shown)]
    assert "DM" in page and "10 images per class of the digits" in page
    assert "not run" in sets_table(records[2:], "sets", "../..").data


def test_the_picture_has_a_row_for_each_class():
    pixels = np.asarray(Image.open(io.BytesIO(picture(condensed_set()))))
    assert pixels.shape == (64, 64)
    assert (pixels[:32] == 128).all() and (pixels[32:, :32] == 128).all() and (pixels[32:, 32:] == 255).all()


def test_the_sets_in_the_repository_are_those_of_its_records():
    book = Path(__file__).parents[1] / "book"
    paths = sorted((book / "condensed").glob("*/*.safetensors"))
    assert len(paths) == 6
    for path in paths:
        record = json.loads((book / "records/condensation" / path.parent.name / f"{path.stem}.json").read_text())
        assert load_set(path).content_hash == record["artifacts"]["synthetic_set"]
