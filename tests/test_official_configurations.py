import pytest

from lcmat.config import SelectionParameters
from lcmat.config.official import OFFICIAL


@pytest.mark.parametrize("method", OFFICIAL)
def test_an_official_configuration_is_another_run_than_the_definition(method):
    official = SelectionParameters(dataset="cifar10", method=method, **OFFICIAL[method])
    assert official.key != SelectionParameters(dataset="cifar10", method=method).key


@pytest.mark.parametrize("method", ["uniform", "k-center", "contextual-diversity", "entropy", "margin"])
def test_these_methods_have_one_configuration(method):
    assert method not in OFFICIAL


def test_only_two_methods_look_at_the_network_in_training_mode():
    assert {name for name, values in OFFICIAL.items() if "batch_norm" in values} == {"lcmat-s", "adacore"}


def test_the_program_trains_with_the_weights_of_craig_and_gradmatch_alone():
    weighted = {name for name, values in OFFICIAL.items() if values.get("weighted")}
    assert weighted == {"craig", "gradmatch", "gradmatch-val"}
