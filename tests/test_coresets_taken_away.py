"""Files of coresets beside the site: what a reader loads from them is what was chosen."""

import hashlib
import json
import re

from lcmat.config import SelectionParameters
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
    assert "not run" in coresets_table(RECORDS[2:], "coresets", "../..").data
