"""The table of the official code's deviations: complete, and every option, page and equation it names exists."""

import ast
import csv
import math
import re
from pathlib import Path

import jupytext
import pytest
import torch

from lcmat.config import SelectionParameters
from lcmat.config.registry import METHODS

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "notebooks/selection/04_official_code.py"
TEXT = SOURCE.read_text()


def assigned(name):
    """The expression that the chapter assigns to a name, without running the chapter."""
    for cell in jupytext.read(SOURCE).cells:
        if cell.cell_type == "code":
            for node in ast.parse(cell.source).body:
                if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", None) == name:
                    return node.value
    raise AssertionError(f"{SOURCE} assigns no {name}")


with (ROOT / "book/official-code.csv").open(newline="", encoding="utf-8") as file:
    ROWS = [row[1:] for row in csv.reader(file)][1:]
HERE = {name: here for name, _, here, _ in ROWS}
LINKS = TEXT + " ".join(" ".join(row) for row in ROWS)


def test_every_place_has_one_row_with_what_it_is_and_what_is_done_about_it():
    assert sorted(HERE) == sorted({f"B{number}" for number in range(1, 29)} | {"L-Conf"})
    assert len(ROWS) == len(HERE)
    assert all(len(row) == 4 and row[1].strip() and row[2].strip() for row in ROWS)


def test_a_row_without_a_consequence_has_one_computed_in_the_chapter():
    for name, *_, consequence in ROWS:
        computed = f'found["{name.strip()}"]' in TEXT or f'    "{name.strip()}": ' in TEXT
        assert bool(consequence.strip()) != computed, name


@pytest.mark.parametrize("option", sorted(set(re.findall(r"`(\w+)=", "".join(HERE.values())))))
def test_an_option_of_the_table_is_a_parameter_of_a_run(option):
    assert option in SelectionParameters.model_fields


def test_methods_and_options_that_are_compared_are_those_of_the_registry():
    compared = assigned("SHIPPED")
    for method, options in zip(compared.keys, compared.values, strict=True):
        names = {key.value for key in options.keys if key is not None}
        assert names <= set(METHODS[method.value].options), method.value


def test_every_link_has_its_target():
    for target in set(re.findall(r"\{doc\}`([^`]+)`", LINKS)):
        assert (SOURCE.parent / target).with_suffix(".py").resolve().is_file(), target
    labels = set(re.findall(r":label: (\S+)", LINKS))
    assert set(re.findall(r"\{eq\}`([^`]+)`", LINKS)) <= labels


def test_the_official_schedule_is_the_recursion_of_pytorch_started_an_epoch_early():
    low, per_epoch, total = 1e-4, 4, 80
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.1)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, total, eta_min=low)
    schedule.last_epoch = -per_epoch
    rates = []
    for _ in range(total):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule.step()
    peak = 1 + math.cos(math.pi * per_epoch / total)
    closed = [low + (0.1 - low) * (1 + math.cos(math.pi * (t - per_epoch) / total)) / peak for t in range(total)]
    assert rates == pytest.approx(closed, rel=1e-9)
    assert max(rates) == rates[per_epoch] > 0.1
