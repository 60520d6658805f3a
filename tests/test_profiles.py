import pandas as pd
import pytest

from lcmat.paths import project_folder
from lcmat.profiles import PROFILES
from lcmat.profiles.study import Profile, Study, grid
from lcmat.selection import METHODS

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
    assert Profile("", (Study("a", "", runs), Study("b", "", runs))).runs() == list(runs)


@pytest.mark.parametrize(("profile", "study"), STUDIES, ids=lambda part: getattr(part, "name", part))
def test_a_study_asks_a_question_of_tables_that_exist(profile, study):
    published = pd.read_csv(project_folder() / "book" / "published.csv", dtype=str)
    assert study.question.endswith("?") and study.runs
    assert set(study.tables) <= set(published["table"])


def test_smoke_is_digits_with_every_method_and_each_radius_of_the_paper():
    runs = study_of("smoke", "selection").runs
    assert {run.method for run in runs} == set(METHODS) - {"lcmat-s-spectral"}
    assert {run.rho for run in runs if run.method == "lcmat-s"} == {0.0, 0.01, 0.05, 0.1, 0.5}
    assert {run.seed for run in runs} == set(range(5))
    assert {run.dataset for run in PROFILES["smoke"].runs()} == {"digits"}


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


@pytest.mark.parametrize("dataset", ["cifar10", "cifar100"])
def test_paper_profile_is_the_papers_protocol(dataset):
    run = next(run for run in PROFILES["paper"].runs() if run.dataset == dataset)
    assert (run.network, run.width, run.epochs, run.selection_epochs) == ("resnet18", 64, 200, 10)
    assert (run.batch_size, run.learning_rate, run.crop_padding, run.flip) == (128, 0.1, 4, True)


def test_only_records_that_are_not_kept_are_disposable():
    assert [name for name, profile in PROFILES.items() if profile.disposable] == ["smoke"]
