import pytest

from lcmat.config import ParameterError, SelectionParameters
from lcmat.experiments import code_fingerprint
from lcmat.records import record as records
from lcmat.sweep import costs
from lcmat.sweep.costs import Estimate, by_kind, estimate, in_order, network_of, within
from lcmat.sweep.plan import plan, select_studies, share_of, total_seconds, varying
from lcmat.sweep.profiles import PROFILES, Profile, Study
from lcmat.sweep.timing import Pace
from tests.test_records import make_record

RUN = SelectionParameters(method="craig", fraction=0.1, epochs=40, selection_epochs=5)


def measured(seconds, device="CPU", **changes):
    """A record of a run that differs from `RUN` in its seed and these parameters."""
    parameters = SelectionParameters(**{**RUN.canonical(), "seed": 7, **changes})
    return make_record(parameters, seconds=seconds, device=device)


def expected(*found, device=None):
    cost = estimate(RUN, by_kind(found), device)
    return cost and (pytest.approx(cost.own), pytest.approx(cost.shared), cost.count)


def test_stages_grow_with_epochs_and_images():
    """1437 images to train on and 360 to test on, every fifth epoch; to be looked at takes a third as long."""
    record = measured(
        {"selector": 2.0, "training": 3.0, "selection": 0.5}, epochs=20, fraction=0.05, selection_epochs=1
    )
    training = (40 * 143.7 + 8 * 120) / (20 * 71.85 + 4 * 120)
    selector = (5 * 1437 + 479 + 120) / (1437 + 479 + 120)
    assert expected(record) == (3 * training + 0.5, 2 * selector, 1)


def test_records_at_the_same_fraction_are_preferred_and_those_of_another_device_say_nothing(monkeypatch):
    same = [measured({"training": float(s)}, seed=s) for s in (1, 2, 9)]
    elsewhere = measured({"training": 50.0}, device="GPU")
    other_fraction = measured({"training": 70.0}, fraction=0.2, device="GPU")
    assert expected(*same, other_fraction) == (2.0, 0.0, 3)  # the median
    assert expected(*same, elsewhere, other_fraction, device="GPU") == (50.0, 0.0, 1)
    half = (40 * 143.7 + 8 * 120) / (40 * 287.4 + 8 * 120)
    assert expected(other_fraction, device="GPU") == (70 * half, 0.0, 1)
    monkeypatch.setattr(costs, "pace_of", lambda kind: Pace(1e-3, 1e-4))
    timed = (40 * 143.7e-3 + 8 * 360e-4, 5 * 1437e-3 + (1437 + 360) * 1e-4, 0)
    assert expected(*same, device="never seen") == expected(device="never seen") == timed
    monkeypatch.setattr(costs, "pace_of", lambda kind: None)
    assert expected(device="never seen") is None


def test_testing_is_a_part_of_the_training(monkeypatch):
    cost = estimate(RUN, by_kind([measured({"training": 6.0, "selection": 1.0})]))
    assert cost.evaluating == pytest.approx(6 * 8 * 120 / (40 * 143.7 + 8 * 120))
    monkeypatch.setattr(costs, "pace_of", lambda kind: Pace(0.0, 1e-4))
    assert estimate(RUN, {}, "CPU").evaluating == pytest.approx(8 * 360e-4)


def test_uniform_selection_trains_no_network():
    old = SelectionParameters(method="uniform", seed=3)
    measured_then = by_kind([make_record(old, seconds={"selector": 100.0, "training": 2.0})])
    uniform, craig = SelectionParameters(method="uniform"), SelectionParameters(method="craig")
    assert (estimate(uniform, measured_then).shared, estimate(uniform, measured_then).own) == (0.0, 2.0)
    assert in_order([uniform, craig, craig], [Estimate(1.0), Estimate(1.0, 9.0), Estimate(1.0, 9.0)]) == [1, 10, 1]


def test_of_other_fractions_the_nearest_counts():
    near, far = measured({"training": 6.0}, fraction=0.2), measured({"training": 1.0}, fraction=0.01)
    assert expected(near, far) == expected(near) != expected(far)


def test_a_run_that_has_a_record_is_expected_to_take_what_it_took():
    others = [measured({"training": 9.0}, seed=seed) for seed in (1, 2, 3)]
    own = make_record(RUN, seconds={"selector": 2.0, "training": 4.0}, device="CPU")
    assert expected(*others, own, device="CPU") == (4.0, 2.0, 1)


def test_nothing_is_said_of_runs_unlike_any_other():
    assert expected() is None
    diverged = make_record(RUN, status="diverged", metrics={}, error="loss is nan", seconds={"training": 1.0})
    other_network = measured({"training": 1.0}, network="resnet18", width=4)
    assert expected(diverged, measured({"training": 1.0}, method="uniform", **NO_CRAIG), other_network) is None


NO_CRAIG = {"gradients": None, "double_softmax": None}


def test_a_network_that_runs_share_counts_once():
    runs = [SelectionParameters(method="craig", seed=seed, fraction=f) for seed in (0, 1) for f in (0.05, 0.1)]
    records_of = by_kind([make_record(runs[0], seconds={"selector": 4.0, "selection": 1.0})])
    assert in_order(runs, [estimate(run, records_of) for run in runs]) == [5.0, 1.0, 5.0, 1.0]
    assert in_order(runs[:2], [None, estimate(runs[1], records_of)]) == [None, 1.0]


def test_a_plan_lists_each_run_under_the_first_study_that_asks_for_it():
    a, b, c = (SelectionParameters(seed=seed) for seed in range(3))
    records.write(make_record(a, fingerprint=code_fingerprint(a)))
    records.write(make_record(b, status="diverged", metrics={}, error="nan", fingerprint=code_fingerprint(b)))
    planned = plan([Study("one", "?", (a, b)), Study("two", "?", (c, a))])
    assert [(p.study, p.run, p.status.state) for p in planned] == [
        ("one", a, "done"),
        ("one", b, "failed"),
        ("two", c, "missing"),
    ]
    assert planned[1].status.reason == "nan"


def test_studies_are_chosen_by_name_and_by_table():
    profile = Profile("", lambda: (Study("a", "?", (), ("1",)), Study("b", "?", (), ("2", "3")), Study("c", "?", ())))
    chosen = [[s.name for s in select_studies(profile, *words)] for words in ([], [["c", "a"]], [["c"], ["3"]])]
    assert chosen == [["a", "b", "c"], ["a", "c"], ["b", "c"]]
    with pytest.raises(ParameterError, match="'aa' is no study"):
        select_studies(profile, ["aa"])


def test_parameters_that_vary():
    runs = [SelectionParameters(method="uniform"), SelectionParameters(method="lcmat-s", seed=1)]
    assert varying(runs) == ["method", "seed", "rho", "top_k"]
    assert varying(runs[:1]) == []


@pytest.mark.parametrize("count", [1, 3, 8])
def test_shares_are_everything_once_and_keep_networks_together(count):
    runs = PROFILES["smoke"].studies[0].runs
    shares = [share_of(runs, number, count) for number in range(1, count + 1)]
    assert sorted(run.key for share in shares for run in share) == sorted(run.key for run in runs)
    networks = [{network_of(run) for run in share} for share in shares]
    assert sum(map(len, networks)) == 2 * 5  # for each seed one, and one that spares images for validation


def test_totals_and_budgets():
    assert total_seconds([]) == (0, 0)
    runs = [SelectionParameters(rho=radius) for radius in (0.0, 0.1, 0.2, 0.3)]
    fives = [Estimate(5.0)] * 4
    assert within(runs, fives, budget=10.0, jobs=1) == [True, True, False, False]
    assert within(runs, fives, budget=10.0, jobs=2) == [True] * 4
    assert within(runs[:3], [Estimate(11.0), None, Estimate(10.0)], budget=10.0, jobs=2) == [False, True, True]


def test_a_network_whose_run_is_passed_over_is_not_there_for_the_next():
    runs = [SelectionParameters(rho=radius) for radius in (0.0, 0.1, 0.2)]
    costs_of = [Estimate(own=2.0, shared=9.0), Estimate(own=1.0, shared=9.0), Estimate(own=2.0, shared=9.0)]
    assert within(runs, costs_of, budget=10.0, jobs=1) == [False, True, False]
    assert within(runs, costs_of, budget=12.0, jobs=1) == [True, True, False]
