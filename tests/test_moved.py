"""The first edition's accuracies beside today's, on records made up with known changes."""

import pandas as pd
import pytest

from lcmat.config import parse
from lcmat.report.moved import describe_moved, moved, moved_rows, read_first_edition
from tests.synthetic_records import make_record

CHANGES = {"uniform": (1.0, 3.0), "herding": (-2.0, 0.0), "lcmat-s": (0.5, 0.5), "craig": (9.0, 9.0)}
COMMON = {"dataset": "cifar10", "fraction": 0.01}


def made_again():
    """Records of two seeds, and a table in which each was lower by its change; craig's are stale."""
    records, rows = [], []
    for level, (method, changes) in enumerate(CHANGES.items()):
        for seed, change in enumerate(changes):
            record = make_record(40.0 + 5 * level, method=method, seed=seed, **COMMON)
            records.append(record)
            before = {"test_accuracy_percent": 40.0 + 5 * level - change, "status": "done", "key": record.key}
            rows.append({"experiment": "selection", "dataset": "cifar10", "method": method, "seed": seed, **before})
    stale = {record.key for record in records if record.parameters["method"] == "craig"}
    return pd.DataFrame([*rows, {**rows[0], "key": "f" * 16}]), records, stale


def test_changes_are_means_of_single_runs_and_stale_ones_do_not_count():
    first, records, stale = made_again()
    rows = moved(first, records, stale).set_index("method")
    assert list(rows.index) == ["Uniform", "Herding", "LCMat-S"]
    assert list(rows["change"]) == pytest.approx([2.0, -1.0, 0.5])
    assert list(rows.loc["Herding", ["runs", "before", "now", "lowest", "highest"]]) == [2, 46.0, 45.0, -2.0, 0.0]


def test_words_and_table_say_the_same():
    first, records, stale = made_again()
    rows = moved(first, records, stale)
    text = describe_moved(first, rows)
    assert text.startswith("Of the first edition's 9 runs 6 were made again.")
    assert "**CIFAR-10, selection:** +0.5 points on average, single runs -2.0 to +3.0" in text and "now 1.00." in text
    assert [row["Change (points)"] for row in moved_rows(rows)][1] == "-1.0 (-2.0 to +0.0)"
    assert "None of the first edition's 9 runs" in describe_moved(first, moved(first, [], set()))


def test_a_run_of_the_first_edition_is_found_by_what_is_asked_today():
    """Uniform selection of 1 % in the reduced protocol, which the first edition ran in another precision."""
    first = read_first_edition()
    reduced = {"network": "convnet", "width": 32, "epochs": 100, "evaluate_every": 50, "compile": True}
    today = parse("selection", {"dataset": "cifar10", "method": "uniform", "fraction": 0.01, "seed": 0, **reduced})
    row = first.set_index("key").loc[today.key]
    assert (row["method"], row["dataset"], row["seed"]) == ("uniform", "cifar10", 0)
