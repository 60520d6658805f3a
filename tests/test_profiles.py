import itertools

import pandas as pd
import pytest

from lcmat import report
from lcmat.config import SelectionParameters, parse, parse_assignments
from lcmat.config.official import OFFICIAL
from lcmat.config.registry import METHODS
from lcmat.files.paths import project_folder
from lcmat.sweep.costs import network_of
from lcmat.sweep.engine import assignments
from lcmat.sweep.profiles import PROFILES, paper
from lcmat.sweep.profiles.study import Profile, Study, grid
from lcmat.sweep.profiles.variants import OWN

STUDIES = [(name, study) for name, profile in PROFILES.items() for study in profile.studies]


def study_of(profile, name):
    return next(study for study in PROFILES[profile].studies if study.name == name)


@pytest.mark.parametrize("name", PROFILES)
def test_runs_are_distinct_and_those_of_the_studies(name):
    profile = PROFILES[name]
    runs = profile.runs()
    assert len({run.key for run in runs}) == len(runs)
    assert {run.key for run in runs} == {run.key for study in profile.studies for run in study.runs}
    assert profile.description
    assert len({study.name for study in profile.studies}) == len(profile.studies)


def test_a_grid_is_every_combination():
    runs = grid("selection", [{"rho": 0.0}, {"rho": 0.5}], {"epochs": 3}, dataset=("digits", "mnist"), seed=range(3))
    assert len({(run.dataset, run.seed, run.rho) for run in runs}) == len(runs) == 2 * 3 * 2
    assert {run.epochs for run in runs} == {3}


def test_a_run_of_two_studies_is_done_once():
    runs = grid("selection", [{}], seed=range(2))
    assert Profile("", lambda: (Study("a", "", runs), Study("b", "", runs))).runs() == list(runs)


@pytest.mark.parametrize(("profile", "study"), STUDIES, ids=lambda part: getattr(part, "name", part))
def test_a_study_asks_a_question_of_tables_that_exist(profile, study):
    published = pd.read_csv(project_folder() / "book" / "published.csv", dtype=str)
    assert study.question.endswith("?") and study.runs
    assert set(study.tables) <= set(published["table"])


def test_alternatives_stand_beside_the_ledgers_own_runs_and_differ_from_the_definition_in_one_thing():
    runs, ledger = study_of("cpu", "alternatives").runs, {run.key for run in study_of("cpu", "ledger").runs}
    first = [run.canonical() for run in runs if run.seed == 0]
    defined = next(run for run in first if run["method"] == "lcmat-s")
    assert {run["method"] for run in first[:3]} == {"uniform", "lcmat-s"}
    assert {SelectionParameters(**run).key for run in first[:3]} <= ledger
    for run in (run for run in first if run["method"] == "lcmat-s"):
        different = {name for name in {**run, **defined} if run.get(name) != defined.get(name)}
        assert len(different - {"rho"}) <= 1


def test_smoke_is_digits_with_every_method_and_each_radius_of_the_paper():
    runs = study_of("smoke", "selection").runs
    assert {run.method for run in runs} == set(METHODS) - set(OWN)
    defined = [run for run in runs if run.method == "lcmat-s" and run.loss_reduction is None]
    assert {run.rho for run in defined} == {0.0, 0.01, 0.05, 0.1, 0.5}
    assert {run.seed for run in runs} == set(range(5))
    assert {run.dataset for run in PROFILES["smoke"].runs()} == {"digits"}
    few = {study.name: len({run.seed for run in study.runs}) for study in PROFILES["smoke"].studies}
    assert min(few.values()) == 3 and few["condensation"] == few["batch-norm"] == 5


def test_every_configuration_of_the_cpu_profile_has_five_seeds_and_a_uniform_partner():
    runs = study_of("cpu", "selection").runs
    seeds = {}
    for run in runs:
        setting = (run.dataset, run.fraction)
        seeds.setdefault((setting, tuple(sorted(run.model_copy(update={"seed": 0}).canonical().items()))), set()).add(
            run.seed
        )
    assert all(found == set(range(5)) for found in seeds.values())
    settings = {setting for setting, _ in seeds}
    assert {(run.dataset, run.fraction) for run in runs if run.method == "uniform"} == settings


def test_every_radius_of_the_paper_is_tried_at_every_fraction_of_the_cpu_profile():
    runs = [run for run in study_of("cpu", "selection").runs if run.method == "lcmat-s" and not run.loss_reduction]
    found = {(run.dataset, run.fraction, run.rho, run.seed) for run in runs}
    radii, fractions = (0.0, 0.01, 0.05, 0.1, 0.5), (0.001, 0.01, 0.05)
    assert found == set(itertools.product(("cifar10", "fashion-mnist"), fractions, radii, range(5)))


@pytest.mark.parametrize("name", PROFILES)
def test_every_run_survives_the_way_through_words(name):
    for run in PROFILES[name].runs():
        words = {parameter: str(value) for parameter, value in run.canonical().items()}
        assert parse(run.experiment, words).key == run.key
        assert parse_assignments(run.experiment, assignments(run)[1::2]).key == run.key


def test_every_command_of_the_report_is_understood():
    """Each loops over the values of some parameters; each combination is the run that the check looks for."""
    seen = 0
    for row in report.read_published().to_dict("records"):
        check = report.protocol.paper_parameters(row)
        for values in check.combinations():
            words = [f"{name}={value}" for name, value in values.items()]
            assert all(word in check.command() or word.partition("=")[0] in check.axes for word in words)
            assert parse_assignments(check.experiment, words).key == parse(check.experiment, values).key
            seen += 1
    assert seen > 1000


@pytest.mark.parametrize("dataset", ["cifar10", "cifar100"])
def test_paper_profile_is_the_papers_protocol(dataset):
    run = next(run for run in PROFILES["paper"].runs() if run.dataset == dataset)
    assert (run.network, run.width, run.epochs, run.selection_epochs) == ("resnet18", 64, 200, 10)
    assert (run.batch_size, run.learning_rate, run.crop_padding, run.flip) == (128, 0.1, 4, True)


LINES = paper.lines()


def selections(*numbers):
    return [run for number in numbers for run in LINES[number].runs if run.experiment == "selection"]


def test_lines_go_seed_by_seed_in_bfloat16_and_are_tested_seldom():
    for line in LINES:
        seeds = [run.seed for run in line.runs if run.experiment == "selection"]
        if line.name not in ("ledger", "table-3-vgg16", "table-1-five-percent-defined", "controls"):  # of two parts
            assert seeds == sorted(seeds)
    for run in selections(*range(len(LINES) - 1)):
        assert run.precision == "bfloat16"
        assert run.evaluate_every == (50 if run.fraction <= 0.01 else 20)


def test_the_first_five_lines_share_five_selecting_networks():
    runs = selections(0, 1, 2, 3, 4)
    assert len({network_of(run) for run in runs}) == 5
    assert {(run.dataset, run.network, run.width, run.learner) for run in runs} == {("cifar10", "resnet18", 64, None)}


def test_the_ledger_has_both_ends_and_every_step_between_them_alone():
    """At both sizes, so that a step's worth is a difference of two runs that one parameter tells apart."""
    ledgers = [study.runs for name in ("cpu", "paper") for study in PROFILES[name].studies if study.name == "ledger"]
    official = {"rho": 0.02, "batch_norm": "batch", "loss_reduction": "mean-per-batch"}
    assert len(ledgers) == 2
    for runs in ledgers:
        found = [run for run in runs if run.method == "lcmat-s" and (run.fraction, run.seed) == (0.01, 0)]
        options = [{name: getattr(run, name) for name in official} for run in found]
        defined = {"rho": 0.1, "batch_norm": None, "loss_reduction": None}
        assert official in options and defined in options
        assert all({**defined, name: value} in options for name, value in official.items())


def million_passes(runs, *, networks=0):
    """Images that the runs train on, in 10^6, and half a million for each selecting network."""
    return sum(run.epochs * run.fraction * 50_000 for run in runs) / 1e6 + networks * 0.5


def test_lines_cost_what_was_foreseen_for_them():
    """In million passes: four arms of five seeds at 160,000 a seed, nine of two; two of three at 500,000; ten radii."""
    radii = [run for run in selections(3) if run.top_k == 100]
    assert million_passes(selections(0), networks=5) == pytest.approx(5.7)
    assert million_passes(selections(2)) == pytest.approx(3.0)
    assert million_passes(radii) == pytest.approx(1.5)
    assert million_passes(selections(4)) == pytest.approx(2.88)


def test_the_lines_cover_the_published_cells():
    """Table 1 up to 1 %, Table 2 at 1 % for two learners, and Table 3 without Tiny-ImageNet, each as its code does."""
    runs = [run for run in selections(*range(len(LINES))) if is_official(run)]
    done = {(run.dataset, run.network, run.learner or run.network, run.method, run.fraction) for run in runs}
    methods = {method.title: name for name, method in METHODS.items()}
    published = pd.read_csv(project_folder() / "book" / "published.csv", dtype=str)
    cells = published[published["table"].isin(["1", "2", "3"]) & (published["dataset"] != "tinyimagenet")]
    cells = cells[(cells["budget"].astype(float) <= 0.01) & ~cells["test_network"].isin(["wrn16_8", "inception_v3"])]
    asked = {
        (c.dataset, c.reduction_network, c.test_network, methods[c.method], float(c.budget)) for c in cells.itertuples()
    }
    assert len(asked) == 14 * 3 + 14 * 2 + 6 + 2 * 7 * 2
    validated = ("gradmatch-val", "glister-val")
    assert asked - done == {("cifar100", "resnet18", "resnet18", m, f) for m in validated for f in (0.005, 0.01)}


def is_official(run):
    values = run.canonical()
    return all(values.get(name) == value for name, value in OFFICIAL.get(run.method, {}).items())


def test_controls_change_one_thing():
    runs = selections(len(LINES) - 1)
    usual = {run.key for run in selections(0)}
    for run in runs:
        assert run.key not in usual
        back = {"precision": "bfloat16", "evaluate_every": 50}
        assert type(run)(**{**run.canonical(), **back}).key in usual
    assert len(runs) == 4 * 3 * 5 + 2 * 3


def test_only_records_that_are_not_kept_are_disposable():
    assert [name for name, profile in PROFILES.items() if profile.disposable] == ["smoke"]
