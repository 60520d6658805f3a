"""A plan does not count the training of a network that the cache holds."""

from lcmat.config import SelectionParameters
from lcmat.experiments import selection
from lcmat.records import record as records
from lcmat.sweep.costs import by_kind, estimates
from lcmat.sweep.kept import kept

RUN = SelectionParameters(method="margin", selection_epochs=1, epochs=1, width=4)


def changed(**values):
    return RUN.model_copy(update=values)


def test_a_network_is_known_once_a_run_has_trained_it():
    assert kept([RUN]) == set()
    selection.run(RUN)
    others = [changed(seed=1), changed(selection_epochs=2), changed(width=5), changed(label_noise=0.1)]
    others += [SelectionParameters(**{**RUN.canonical(), "method": method}) for method in ("uniform", "glister-val")]
    same = [RUN, changed(fraction=0.1), changed(epochs=2), changed(method="entropy")]
    assert kept([*same, *others]) == {run.key for run in same}


def test_its_training_is_not_expected_again():
    record = selection.run(RUN)
    assert isinstance(record, records.Record)
    known, again, new = by_kind([record]), changed(fraction=0.1), changed(seed=1)
    costs = estimates([again, new], known, record.device)
    assert costs[0].shared == 0 < costs[1].shared
    assert estimates([again], known)[0].shared > 0  # nothing is said of this machine
