import pytest

from lcmat.profiles import PROFILES, Profile


@pytest.mark.parametrize("name", PROFILES)
def test_runs_are_distinct_and_of_the_profile(name):
    profile = PROFILES[name]
    runs = profile.runs()
    assert len({run.key for run in runs}) == len(runs)
    size = len(profile.datasets) * len(profile.fractions) * len(list(profile.seeds)) * len(profile.methods)
    assert len(runs) == size
    assert {run.dataset for run in runs} == set(profile.datasets)
    assert profile.description


def test_smoke_compares_uniform_with_each_radius_of_the_paper():
    runs = PROFILES["smoke"].runs()
    assert {run.rho for run in runs if run.method == "lcmat-s"} == {0.0, 0.01, 0.05, 0.1, 0.5}
    assert {run.seed for run in runs} == set(range(5))
    assert {run.dataset for run in runs} == {"digits"}


def test_paper_profile_is_the_papers_protocol():
    run = PROFILES["paper"].runs()[0]
    assert (run.network, run.width, run.epochs, run.selection_epochs) == ("resnet18", 64, 200, 10)
    assert (run.batch_size, run.learning_rate, run.crop_padding, run.flip) == (128, 0.1, 4, True)


def test_only_records_that_are_not_kept_are_disposable():
    assert [name for name, profile in PROFILES.items() if profile.disposable] == ["smoke"]


def test_common_parameters_reach_every_run():
    profile = Profile("", ("digits",), (0.1,), range(2), common={"epochs": 3})
    assert {run.epochs for run in profile.runs()} == {3}
