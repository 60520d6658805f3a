import pytest

from lcmat.profiles import PROFILES, SELECTOR_EPOCHS, Grid, Profile, lcmat_s


@pytest.mark.parametrize("name", PROFILES)
def test_runs_are_distinct_and_those_of_the_grids(name):
    profile = PROFILES[name]
    runs = profile.runs()
    assert len({run.key for run in runs}) == len(runs)
    assert {run.key for run in runs} == {run.key for grid in profile.grids for run in grid.runs()}
    assert profile.description


def test_a_grid_is_every_combination():
    grid = Grid(("digits", "mnist"), (0.1, 0.2), range(3), lcmat_s(0.0, 0.5), {"epochs": 3})
    combinations = {(run.dataset, run.fraction, run.seed, run.rho) for run in grid.runs()}
    assert len(combinations) == len(grid.runs()) == 2 * 2 * 3 * 2
    assert {run.epochs for run in grid.runs()} == {3}


def test_a_run_of_two_grids_is_done_once():
    grid = Grid(("digits",), (0.1,), range(2))
    assert len(Profile("", (grid, grid)).runs()) == len(grid.runs())


def test_smoke_compares_uniform_with_each_radius_of_the_paper():
    runs = PROFILES["smoke"].grids[0].runs()
    assert {run.rho for run in runs if run.method == "lcmat-s"} == {0.0, 0.01, 0.05, 0.1, 0.5}
    assert {run.seed for run in runs} == set(range(5))
    assert {run.dataset for run in PROFILES["smoke"].runs()} == {"digits"}


def test_smoke_varies_the_age_of_the_selecting_network():
    benchmark, *others = PROFILES["smoke"].grids
    default = {run.selection_epochs for run in benchmark.runs()}
    assert {run.selection_epochs for grid in others for run in grid.runs()} == set(SELECTOR_EPOCHS)
    assert len(default) == 1 and not default & set(SELECTOR_EPOCHS)


@pytest.mark.parametrize("dataset", ["cifar10", "cifar100"])
def test_paper_profile_is_the_papers_protocol(dataset):
    run = next(run for run in PROFILES["paper"].runs() if run.dataset == dataset)
    assert (run.network, run.width, run.epochs, run.selection_epochs) == ("resnet18", 64, 200, 10)
    assert (run.batch_size, run.learning_rate, run.crop_padding, run.flip) == (128, 0.1, 4, True)


def test_only_records_that_are_not_kept_are_disposable():
    assert [name for name, profile in PROFILES.items() if profile.disposable] == ["smoke"]
