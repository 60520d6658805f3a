"""The errata: every chapter, test and equation its tables name exists, and its own counterexamples stand."""

import ast
import csv
import math
import re
from pathlib import Path

import numpy as np
import pytest
import torch

from lcmat.curvature import gradient_distances, per_sample_gradients
from lcmat.report import read_published
from tests.test_curvature import random_samples

ROOT = Path(__file__).parents[1]
CHAPTERS = ROOT / "notebooks/derivation"
SOURCES = [CHAPTERS / "08_errata.py", CHAPTERS / "08b_numbers.py"]
ITEMS = [
    *(f"Eq. {number}" for number in range(4, 16)),
    *("Remark 3.1", "Prop. 3.2", "Definition 3.3", "Theorem 3.4", "Corollary 3.5", "Algorithm 1"),
    *("A, Prop. 3.2", "A.2", "A.3", "A, Theorem 3.4"),
    *("B.1, selection", "B.1, condensation", "B.2", "C.1", "D.1", "D.2"),
]
"""The theorems, remarks, equations and appendix items of the paper that are not background."""


def table(name):
    """The rows of one of the chapter's tables, without its head."""
    with (ROOT / "book" / f"{name}.csv").open(newline="", encoding="utf-8") as file:
        return list(csv.reader(file))[1:]


ENTRIES, CHECKS, PLACES = [row[1:] for row in table("errata")], table("checks"), table("paper-items")
TEXT = "".join(source.read_text() for source in SOURCES) + " ".join(map(" ".join, ENTRIES + PLACES))


def test_every_error_and_every_check_has_its_row():
    numbers = {entry[0] for entry in ENTRIES}
    assert len(numbers) == len(ENTRIES)
    assert numbers >= {f"E{i}" for i in range(1, 15)} | {"V12"}
    assert [check[0] for check in CHECKS] == [f"V{i}" for i in range(1, 16)]
    assert {check[2] for check in CHECKS} == {"always", "may fail"}


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check[0])
def test_a_check_names_a_chapter_with_that_check_and_a_test_that_exists(check):
    chapter, place, file, function = check[3:]
    source = (CHAPTERS / f"{chapter}.py").read_text()
    kind, _, name = place.partition(" ")
    pattern = rf"^# ## Checks$[\s\S]*?^# {name}\. " if kind == "check" else rf"^# ## {re.escape(name)}$"
    assert re.search(pattern, source, re.MULTILINE), f"{chapter} has no {place}"
    tree = ast.parse((ROOT / "tests" / file).read_text())
    assert function in {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}


def test_every_item_of_the_paper_has_its_place_and_a_verdict():
    assert sorted(item for item, *_ in PLACES) == sorted(ITEMS)
    for item, _, places, verdict, _ in PLACES:
        assert verdict in {"true", "repaired", "false", "not treated"}, item
        for place in places.split(", "):
            assert (CHAPTERS / f"{place}.py").resolve().is_file(), (item, place)


def test_what_is_not_true_as_printed_says_why():
    assert all(note for *_, verdict, note in PLACES if verdict != "true")


def test_every_link_has_its_target():
    for target in set(re.findall(r"\{doc\}`([^`]+)`", TEXT)):
        candidates = ((CHAPTERS / target).with_suffix(".py"), (ROOT / "book/derivation" / target).with_suffix(".md"))
        assert any(path.resolve().is_file() for path in candidates), target
    everything = "".join(path.read_text() for path in (ROOT / "notebooks").rglob("*.py"))
    labels = set(re.findall(r":label: (\S+)|^# \$\$ \((\S+)\)", everything, re.M))
    wanted = set(re.findall(r"\{eq\}`([^`]+)`", TEXT))
    assert wanted <= {label for pair in labels for label in pair}


def official_distances(vectors):
    """The formula of the official code, in the precision of its argument, NaN set to zero."""
    squares = (vectors**2).sum(axis=1)
    with np.errstate(invalid="ignore"):
        return np.nan_to_num(np.sqrt(squares[:, None] + squares - 2 * vectors @ vectors.T))


@pytest.mark.parametrize("seed", range(5))
def test_the_official_distance_loses_no_more_than_the_root_of_the_precision(seed):
    generator = torch.Generator().manual_seed(seed)
    vectors = torch.randn(50, 200, generator=generator)
    vectors[25:] = vectors[:25] * (1 + 1e-5 * torch.randn(25, 200, generator=generator))
    exact = torch.cdist(vectors.double(), vectors.double(), compute_mode="donot_use_mm_for_euclid_dist").numpy()
    error = np.abs(official_distances(vectors.numpy()) - exact)
    assert error.max() <= 4 * math.sqrt(np.finfo(np.float32).eps) * float(vectors.norm(dim=1).max())
    assert (error > 0.5 * exact).diagonal(25).any()  # a near-duplicate's distance is lost


def test_the_package_keeps_the_distance_of_near_duplicates_in_the_precision_it_selects_in():
    features, logits, labels = (part.repeat(2, *[1] * (part.ndim - 1)) for part in random_samples(n=20, d=30, c=4))
    features[20:] *= 1 + 1e-5
    gradients = per_sample_gradients(features, logits, labels).flatten(1)
    exact = (gradients[:20] - gradients[20:]).norm(dim=1)
    ours = gradient_distances(features, logits, labels).diagonal(offset=20)
    official = torch.from_numpy(official_distances(gradients.float().numpy())).diagonal(offset=20)
    assert float(((ours - exact).abs() / exact).max()) < 1e-4
    assert float(((official - exact).abs() / exact).max()) > 0.5


def test_the_minimisers_of_the_cubic_example_differ_although_its_objective_is_small():
    """L(T) = t^2 / 2, L(S) = t^2 / 2 - c (t - 1)^3: the minimiser of L(S) solves t = 3 c (t - 1)^2."""
    c, rho = 0.1, 0.1
    roots = np.roots([3 * c, -6 * c - 1, 3 * c])
    minimiser = min(roots.real, key=abs)
    assert minimiser - 3 * c * (minimiser - 1) ** 2 == pytest.approx(0, abs=1e-12)
    assert abs(minimiser) > 100 * c * rho**2


def test_the_published_wins_of_the_two_directions_add_up():
    wins = read_published().query("table == 'figure 3'").set_index(["method", "budget"])["mean"]
    assert all(wins[a, b] + wins[b, a] == 90 for a, b in wins.index)
