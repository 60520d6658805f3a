"""The pages of the report: each published number once, a command that checks it, and nothing hostile on them."""

import json
import math
import re
from collections import Counter
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from IPython.display import HTML
from scipy import stats

from lcmat import report
from lcmat.book.tables import table_sources
from lcmat.config import EXPERIMENTS, parse, parse_assignments
from lcmat.config.official import OFFICIAL
from lcmat.config.registry import METHODS, ZOO_PREFIX
from lcmat.experiments import stale_keys
from lcmat.models import build
from lcmat.records.record import write
from lcmat.report.accounts import Accounts, count_judged, read_accounts
from lcmat.report.cells import cells_table
from lcmat.report.chances import describe_by_chance
from lcmat.report.claim_tests import (
    ALIKE,
    judge,
    our_differences,
    paper_settings,
    published_differences,
    published_pairs,
)
from lcmat.report.claims import CLAIMS
from lcmat.report.claims_table import assess_claims, claims_html
from lcmat.report.cost import BUDGET_HOURS, remaining_work, seconds_per_image
from lcmat.report.defects import (
    defect_differences,
    precision_differences,
    recommend,
    recommendations,
    shipped_pairs,
)
from lcmat.report.export import write_report
from lcmat.report.page_check import check_page
from lcmat.report.paired import label_differences
from lcmat.report.published import STATES
from lcmat.report.runs import ACCURACY
from lcmat.report.statistics import Interval
from lcmat.report.strips import interval_strip
from lcmat.report.verdicts import VERDICTS
from tests.synthetic_records import make_record, make_sweep
from tests.test_book import load_extension
from tests.test_records import signed

PUBLISHED = report.read_published()
EMPTY = report.compare(PUBLISHED, [])
ROOT = Path(__file__).parents[1]
PAPER = {"dataset": "cifar10", "network": "resnet18"}
RECORDED = read_accounts().records
MAX_PAGE_BYTES = 1_500_000
HOSTILE = "<img src=x onerror=alert(1)>"


def accounts(*records):
    stale = stale_keys(records)
    return Accounts(list(records), [], report.compare(PUBLISHED, records, stale), stale)


def cell(comparison, **conditions):
    for name, value in conditions.items():
        comparison = comparison[comparison[name] == value]
    assert len(comparison) == 1
    return comparison.iloc[0]


def expanded(command):
    """All commands that a nest of shell loops runs."""
    commands = [command.rpartition("; do ")[2].partition(";")[0]]
    for name, values in re.findall(r"for (\w+) in ([^;]+); do ", command):
        commands = [re.sub(rf"\${name}\b", value, text) for text in commands for value in values.split()]
    return commands


def parsed(command):
    """The parameters that a command line names."""
    words = command.split()
    assert words[:2] == ["lcmat", "run"]
    assert words[3::2] == ["-p"] * (len(words[3:]) // 2)
    return parse_assignments(words[2], words[4::2])


@pytest.mark.parametrize("table", PUBLISHED["table"].unique())
def test_every_number_has_commands_that_parse_or_a_reason(table):
    for check in EMPTY.loc[EMPTY["table"] == table, "check"]:
        assert check.command() or len(check.reason) > 30
        keys = {parsed(command).key for command in expanded(check.command())} if check.command() else set()
        assert keys == {parse(check.experiment, values).key for values in check.combinations()}


@pytest.mark.parametrize(
    "records",
    [
        RECORDED,
        [
            make_record(
                20.0, seed=seed, **PAPER, fraction=0.005, method=method, precision="bfloat16", evaluate_every=50
            )
            for seed in range(3)
            for method in ("uniform", "lcmat-s")
        ],
    ],
    ids=["project", "other circumstances"],
)
def test_commands_make_the_records_that_count(records):
    """Of each arm of each number, whatever the circumstances of its runs."""
    comparison = report.compare(PUBLISHED, records)
    arms = [(row["check"], row["counted"]) for row in comparison.to_dict("records")]
    arms += [(arm.check, arm.counted) for arm in comparison["defined"].dropna()]
    counted = [(check, record) for check, records in arms for record in records]
    assert counted or records is RECORDED  # whose code may have been changed since
    for check, record in counted:
        assert record.key in {parsed(command).key for command in expanded(check.command())}


def test_what_is_missing_counts_a_shared_selecting_network_once():
    """Five seeds of 200 epochs on 500 images, tested ten times; a selecting network sees 50,000 images ten times."""
    cells = EMPTY.query("table == '1' and dataset == 'cifar10' and budget == '0.01'")
    own = 5 * (200 * 500 + 10 * 10_000 / 3)
    networks = 5 * (10 * 50_000 + 60_000 / 3)
    for methods, expected in {
        ("Uniform",): own,
        ("Craig",): own + networks,
        ("Craig", "k-Center"): 2 * own + networks,
    }.items():
        row = remaining_work(cells[cells["method"].isin(methods)]).iloc[-1]
        assert (row["numbers"], row["runs"]) == (len(methods), 5 * len(methods))
        assert row["million images"] == pytest.approx(expected / 1e6, abs=0.06)
    judged = remaining_work(EMPTY)
    assert judged["numbers"].iloc[-1] == EMPTY["margin"].notna().sum() == judged["numbers"].iloc[:-1].sum()


def test_networks_of_the_commands_take_the_images_of_their_data_sets():
    runs = [
        run for check in EMPTY["check"] if check.experiment == "selection" for run in check.combinations(seeds=False)
    ]
    names = {run.get(role) for run in runs for role in ("network", "learner")} - {None}
    assert names == {"resnet18", "vgg16", "wrn16-8", "inception-v3"}
    for name in names:
        assert not name.startswith(ZOO_PREFIX)
        build(name, num_classes=10, image_size=32, width=4)  # the published widths differ in size alone


def test_experiments_that_do_not_exist_yet_are_named():
    for experiment, tables in (("condensation", ("4", "5")), ("continual", ("figure 5",))):
        rows = EMPTY[EMPTY["table"].isin(tables)]
        said = [repr(experiment) in check.reason for check in rows["check"]]
        assert any(said) == (experiment not in EXPERIMENTS)


def test_a_run_of_table_2_needs_the_named_learner_and_counts_there_alone():
    shared = {"dataset": "cifar100", "network": "resnet18", "method": "craig", "fraction": 0.01}
    shared |= OFFICIAL["craig"]
    records = [make_record(9.0 + s, seed=s, learner="vgg16", **shared) for s in range(3)]
    found = report.compare(PUBLISHED, records)
    assert list(found.loc[found["n"] > 0, "test_network"]) == ["vgg16"]
    assert cell(found, table="2", test_network="vgg16", method="Craig", budget="0.01")["values"] == [9.0, 10.0, 11.0]


def test_seconds_are_shown_but_never_judged():
    record = make_record(20.0, dataset="cifar10", method="craig", fraction=0.1)
    record = record.model_copy(update={"seconds": {"selector": 7.0, "selection": 3.0, "training": 100.0}})
    found = cell(report.compare(PUBLISHED, [record]), table="D.2", method="Craig", budget="0.1")
    assert (found["values"], found["verdict"]) == ([10.0], "not comparable")
    assert math.isnan(found["difference"])


def test_wins_are_counted_over_common_configurations_and_not_judged():
    shared = {"dataset": "cifar10", "fraction": 0.005}
    records = []
    for epochs, decay, craig, uniform in ((2, 1e-4, 30.0, 20.0), (5, 1e-3, 10.0, 20.0), (20, 5e-4, 20.0, 20.0)):
        setting = {"selection_epochs": epochs, "selection_weight_decay": decay, **shared}
        records += [make_record(craig, method="craig", **setting), make_record(uniform, method="uniform", **setting)]
    records.append(make_record(99.0, method="craig", selection_epochs=100, selection_weight_decay=1e-4, **shared))
    found = report.compare(PUBLISHED, records)
    forward, backward = (
        cell(found, table="figure 3", method=a, budget=b) for a, b in (("Craig", "Uniform"), ("Uniform", "Craig"))
    )
    assert (sum(forward["values"]), sum(backward["values"]), forward["n"]) == (1, 1, 3)
    assert forward["verdict"] == "not comparable"


def test_diverged_and_expensive_numbers_have_their_own_state():
    shared = {"dataset": "cifar10", "method": "craig", **OFFICIAL["craig"]}
    diverged = [make_record(status="diverged", fraction=0.001, seed=s, **shared) for s in range(2)]
    slow = make_record(20.0, fraction=0.005, **shared).model_copy(update={"wall_seconds": 3600.0 * BUDGET_HOURS})
    found = report.compare(PUBLISHED, [*diverged, slow])
    states = {
        budget: cell(found, table="1", dataset="cifar10", method="Craig", budget=budget)["verdict"]
        for budget in ("0.001", "0.005", "0.3")
    }
    assert states["0.001"] == "diverged"
    assert states["0.005"] in VERDICTS
    assert states["0.3"] == "over budget"
    assert "diverged (2 of 2 seeds)" in accounts(*diverged).show("1").data


def test_a_cached_stage_counts_in_what_a_check_would_take():
    """The selecting network of a seed is trained once, but somebody who runs one method trains it too."""
    alone = make_record(20.0, dataset="cifar10", method="craig", fraction=0.01)
    cached = alone.model_copy(update={"wall_seconds": 60.0, "seconds": {"selector": 540.0, "training": 60.0}})
    (rate,) = seconds_per_image([cached]).values()
    evaluations = 200 / alone.parameters["evaluate_every"]
    looked_at = 50_000 + (1 + evaluations) * 10_000  # by the selecting network; test images of both trainings
    assert rate == pytest.approx(600.0 / (10 * 50_000 + 200 * 500 + looked_at / 3))


def test_reduced_runs_stand_beside_the_number_with_their_data_one_a_seed_and_are_never_matched():
    settings = {"dataset": "cifar10", "method": "craig", "fraction": 0.01, "network": "convnet", "width": 32}
    records = [make_record(40.0 + s, seed=s, epochs=100, **settings) for s in range(3)]
    half = [make_record(44.0, seed=s, epochs=100, precision="bfloat16", **settings) for s in range(2)]
    shown = accounts(*records, *half)
    assert not shown.comparison["n"].any()
    expected = stats.t.interval(0.95, 2, 41.0, stats.sem([40.0, 41.0, 42.0]))
    text = f"41.00 ({expected[0]:.2f} to {expected[1]:.2f}, n = 3) with convnet, width 32, 100 epochs"
    assert text in shown.show("1").data
    assert "made up" in shown.show("1").data


def test_drawers_hold_every_seed_and_what_made_it():
    records = [make_record(20.0 + s, dataset="cifar10", method="uniform", fraction=0.001, seed=s) for s in range(5)]
    text = accounts(*records).show("1").data
    for record in records:
        assert record.key in text
        assert f"{record.metrics[ACCURACY]:.2f}" in text
    for shown in ("0" * 40, "made up", "threads 1, deterministic_algorithms True", "CPU", "current", "yes"):
        assert shown in text


def test_a_number_says_that_it_stands_on_several_kinds_of_processor():
    records = [make_record(20.0 + s, dataset="cifar10", method="uniform", fraction=0.001, seed=s) for s in range(5)]
    assert "kinds of processor" not in accounts(*records).show("1").data
    machine = records[0].machine.model_copy(update={"processor": "model 2"})
    text = accounts(records[0].model_copy(update={"machine": machine}), *records[1:]).show("1").data
    assert "2 kinds of processor" in text and "model 2" in text


def test_every_number_is_on_one_page_once_and_the_sentences_add_up():
    shown = accounts(*make_sweep(dataset="cifar10", fractions=(0.01,), seeds=2))
    identifiers = Counter()
    totals = Counter()
    for table in shown.tables:
        identifiers.update(re.findall(r'id="cell-(\d+)"', shown.show(table).data))
        counts = re.findall(r"(\d+) ([a-z ]+)[,.]", count_judged(shown.of(table)))
        totals.update({state: int(number) for number, state in counts if state in STATES})
    assert identifiers == Counter(str(number) for number in range(len(PUBLISHED)))
    assert sum(totals.values()) == len(PUBLISHED)
    named = [
        re.search(r'^TABLE = "(.*)"$', source.read_text(), re.M)[1] for source in table_sources(ROOT / "notebooks")
    ]
    assert sorted(named) == sorted(shown.tables)


def test_numbers_with_one_seed_are_told_apart():
    one, two = (
        [make_record(20.0 + 9 * s, method="uniform", fraction=0.001, seed=s, **PAPER) for s in range(n)] for n in (1, 2)
    )
    alone = "One seed decides nothing, and 1 of the inconclusive have no more."
    assert alone in count_judged(accounts(*one).of("1"))
    assert "One seed" not in count_judged(accounts(*two).of("1"))
    assert describe_by_chance(accounts(*one).of("1")) == ""


def test_it_is_said_how_many_numbers_differ_and_how_many_would_by_chance():
    far = [make_record(30.0 + s, method="uniform", fraction=0.001, seed=s, **PAPER) for s in range(5)]
    near = [make_record(36.0 + s, method="uniform", fraction=0.01, seed=s, **PAPER) for s in range(2)]
    said = describe_by_chance(accounts(*far, *near).of("1"))
    assert "1 of 2 came out higher or lower" in said and 0 <= float(re.search(r"([\d.]+) would", said)[1]) < 0.2


def test_an_unknown_table_is_refused_by_name():
    with pytest.raises(ValueError, match="'7'"):
        accounts().of("7")


class Tags(HTMLParser):
    def __init__(self):
        super().__init__()
        self.seen = Counter()

    def handle_starttag(self, tag, attrs):
        self.seen[tag] += 1


def test_hostile_text_of_records_is_escaped():
    settings = {"dataset": "cifar10", "method": "uniform", "fraction": 0.001}
    changes = {
        "device": HOSTILE,
        "commit": HOSTILE,
        "versions": {HOSTILE: HOSTILE},
        "error": None,
        "data": {"train": make_record().data["train"].model_copy(update={"provenance": HOSTILE})},
    }
    records = [make_record(20.0, **settings).model_copy(update=changes)]
    records += [make_record(20.0, network="convnet", **settings).model_copy(update=changes)]
    shown = accounts(*records)
    comparison = shown.of("1").assign(method=HOSTILE, dataset=HOSTILE, note=HOSTILE)
    tags = Tags()
    tags.feed(shown.show("1").data + cells_table(comparison, shown.context, "x", HOSTILE))
    assert "img" not in tags.seen
    assert tags.seen["tbody"] > 2 * len(comparison)


@pytest.mark.parametrize(
    "damage",
    [
        lambda text: text[: len(text) // 2],
        lambda text: text.replace('"schema_version": 2', '"schema_version": 1'),
        lambda text: signed(text.replace(f'"{ACCURACY}": 50.0', f'"{ACCURACY}": NaN')),
        lambda text: signed(text.replace(f'"{ACCURACY}": 50.0', f'"{ACCURACY}": 101.0')),
        lambda text: signed(text.replace('"method": "uniform"', f'"method": "{HOSTILE}"')),
        lambda text: text.replace('"fraction": 0.05', '"fraction": 0.06'),
    ],
    ids=["truncated", "schema", "nan", "101 percent", "hostile method", "edited by hand"],
)
def test_a_damaged_record_is_named_in_a_warning_and_the_rest_is_shown(tmp_path, damage):
    path = write(make_record(method="uniform"), tmp_path)
    good = write(make_record(20.0, dataset="cifar10", method="uniform", fraction=0.001), tmp_path)
    content = path.read_text()
    assert damage(content) != content
    path.write_text(damage(content))
    shown = read_accounts(tmp_path)
    text = shown.show("1").data
    assert [problem.path for problem in shown.problems] == [path]
    assert f"{path.name} is no valid record" in text
    assert "1 damaged record(s) left out" in text
    assert HOSTILE not in text
    assert good.stem in text


def test_files_for_machines_hold_every_number_and_strict_json(tmp_path):
    records = [make_record(20.0 + s, dataset="cifar10", method="uniform", fraction=0.001, seed=s) for s in range(5)]
    paths = write_report(accounts(*records), tmp_path)

    def refuse(word):
        raise ValueError(word)

    content, badge = (json.loads(path.read_text(), parse_constant=refuse) for path in paths)
    assert [entry["cell"] for entry in content["cells"]] == list(range(len(PUBLISHED)))
    assert sum(content["counts"][state] for state in STATES) == content["counts"]["all"] == len(PUBLISHED)
    measured = [entry for entry in content["cells"] if entry["n"] and entry["table"] == "1"]
    assert [entry["values"] for entry in measured] == [[20.0, 21.0, 22.0, 23.0, 24.0]]
    assert set(badge) == {"schemaVersion", "label", "message", "color"}
    assert badge["message"] == f"1 of 1 judged, {len(PUBLISHED)} published"
    again = tmp_path / "again"
    assert [path.read_bytes() for path in write_report(accounts(*records), again)] == [p.read_bytes() for p in paths]


def test_a_build_of_the_site_writes_what_lies_beside_the_pages_and_a_failed_one_nothing(tmp_path):
    config = SimpleNamespace(project="The book", html_baseurl="https://a.github.io/b/")
    app = SimpleNamespace(builder=SimpleNamespace(format="html"), outdir=tmp_path, config=config)
    extension = load_extension("published_files")
    extension.write_files(app, ValueError("a page failed"))
    assert not list(tmp_path.iterdir())
    extension.write_files(app, None)
    assert {path.name for path in tmp_path.iterdir()} - {"coresets"} == {"report.json", "badge.json", "404.html"}
    # GitHub shows it at an address of any depth, so its links start at the root of the host.
    assert re.findall(r'href="([^"]+)"', (tmp_path / "404.html").read_text()) == ["data:,", "/b/", "/b/search.html"]


def test_a_full_report_is_light_and_the_same_at_every_build():
    """Every check of Table 1 and Figure 3 run with all its seeds, beside many reduced runs."""
    rows = EMPTY[EMPTY["table"].isin(("1", "2", "3", "figure 4"))]
    runs = [values for check in rows["check"] for values in check.combinations()]
    robust = EMPTY[EMPTY["table"] == "figure 3"]
    runs += [values for check in robust["check"] for values in check.combinations()]
    small = {"network": "convnet", "width": 32, "epochs": 100, "batch_norm": None}
    runs += [{**run, **small, "seed": seed} for run in runs[:900] if "learner" not in run for seed in (0, 1, 2, 3, 4)]
    records = list({record.key: record for record in (make_record(50.0, **run) for run in runs)}.values())
    assert len(records) > 2000
    shown = accounts(*records)
    sizes = {table: len(shown.show(table).data.encode()) for table in shown.tables}
    assert max(sizes.values()) < MAX_PAGE_BYTES, sizes
    assert shown.show("1").data == shown.show("1").data
    checked = [bool(check.experiment) for check in rows["check"]]
    assert "not run" not in set(shown.comparison.loc[rows.index, "verdict"][checked])


def differences_of(means, n=5, spread=0.1):
    """Differences with these means, significant or not, as `label_differences` tabulates them."""
    noise = np.linspace(-spread, spread, n)
    runs = [
        make_record(50.0 + value, method=method, fraction=fraction, seed=seed)
        for fraction, mean in zip((0.01, 0.05, 0.1), means, strict=False)
        for seed in range(n)
        for method, value in (("uniform", 0.0), ("craig", mean + noise[seed]))
    ]
    return label_differences(report.runs_frame(runs), [("Craig", "Uniform")])


@pytest.mark.parametrize(
    ("means", "needed", "word"),
    [
        ((1.0, 2.0), 2, "supported"),
        ((1.0, 2.0), 3, "not decided"),
        ((1.0, -2.0), 2, "contradicted"),
        ((1.0, 0.0), 2, "not decided"),
        ((), 0, "not run"),
    ],
)
def test_words_for_claims_follow_the_comparisons(means, needed, word):
    assert judge(differences_of(means), needed) == word


def test_comparisons_that_the_paper_does_not_print_stand_for_none_that_it_does():
    found = differences_of((1.0, 2.0, 3.0))
    assert judge(found, 3) == "supported" and judge(found, 3, {found["better"].iloc[0]}) == "not decided"
    radius, crossed = (next(each for each in CLAIMS if each.name == name) for name in ("radius", "architectures"))
    kept = [pair for pair in radius.labels if not radius.unprinted & {*pair}]
    assert 2 * len(kept) == len(published_pairs(EMPTY, radius))
    kept = [pair for pair in crossed.labels if not crossed.unprinted & {*pair}]
    assert 2 * 3 * len(kept) == len(published_pairs(EMPTY, crossed))


@pytest.mark.parametrize("n", [1, 2])
def test_fewer_than_three_pairs_decide_nothing(n):
    assert judge(differences_of((3.0,), n=n)) == "not run"


def test_paired_differences_equal_scipys_test_and_holm_counts_all_of_them():
    table = differences_of((0.02, 0.05), spread=0.06)
    noise = np.linspace(-0.06, 0.06, 5)
    expected = [stats.ttest_1samp(mean + noise, 0.0).pvalue for mean in (0.02, 0.05)]
    assert list(table["p_value"]) == pytest.approx(expected)
    assert table["adjusted_p"].min() == pytest.approx(min(1.0, 2 * min(expected)))


def test_pooled_differences_are_means_over_common_configurations():
    records = [
        make_record(value, method=method, selection_epochs=epochs, seed=seed)
        for method, epochs, value in (
            ("craig", 2, 60.0),
            ("craig", 5, 52.0),
            ("craig", 10, 90.0),
            ("uniform", 2, 50.0),
            ("uniform", 5, 50.0),
        )
        for seed in (0, 1)
    ]
    row = label_differences(report.runs_frame(records), [("Craig", "Uniform")], pooled=("selection_epochs",)).iloc[0]
    assert (row["interval"].mean, row["interval"].n) == (6.0, 2)


def test_the_papers_own_numbers_are_counted_as_a_plain_loop_counts_them():
    claim = next(claim for claim in CLAIMS if claim.name == "uniform")
    table = PUBLISHED[PUBLISHED["table"] == "1"].set_index(["method", "dataset", "budget"])["mean"]
    settings = list(table.loc["Uniform"].index)
    expected = sorted(table["LCMat-S"][key] - table["Uniform"][key] for key in settings)
    found = sorted(interval.mean for interval in published_differences(EMPTY, claim))
    assert found == pytest.approx(expected)


def test_a_spread_without_seeds_counts_in_claims_as_in_verdicts():
    claim = next(claim for claim in CLAIMS if claim.name == "other-networks")
    found = {interval.mean: interval for interval in published_differences(EMPTY, claim)}
    cells = PUBLISHED[
        (PUBLISHED["table"] == "3") & (PUBLISHED["dataset"] == "cifar10") & (PUBLISHED["budget"] == "0.01")
    ]
    (m1, s1), (m2, s2) = (
        tuple(cells.loc[cells["method"] == name, ["mean", "std"]].iloc[0]) for name in ("LCMat-S", "Uniform")
    )
    three = np.array([-1.0, 0.0, 1.0])
    expected = stats.ttest_ind(m1 + s1 * three, m2 + s2 * three, equal_var=False).confidence_interval(0.95)
    assert (found[m1 - m2].low, found[m1 - m2].high) == pytest.approx((expected.low, expected.high))


def test_every_claim_with_numbers_finds_them():
    for claim in CLAIMS:
        assert bool(published_differences(EMPTY, claim)) == bool(claim.tables), claim.name


@pytest.mark.parametrize(("gain", "word"), [(3.0, "supported"), (-3.0, "contradicted")])
def test_runs_of_the_papers_protocol_and_reduced_runs_are_tested_apart(gain, word):
    own = make_sweep(dataset="cifar10", fractions=(0.005, 0.05), rhos=(0.0, 0.1), gain=gain)
    reduced = make_sweep(dataset="digits", fractions=(0.01,), rhos=(0.1,), gain=-gain)
    frame = report.runs_frame([*own, *reduced])
    comparison = report.compare(PUBLISHED, [*own, *reduced])
    claim = next(claim for claim in CLAIMS if claim.name == "uniform")
    matched, _, others = our_differences(comparison, frame, paper_settings(comparison), claim)
    assert set(matched["dataset"]) == {"cifar10"}
    assert set(others["dataset"]) == {"digits"}
    assert judge(matched) == word
    assert judge(matched, 13) == ("not decided" if word == "supported" else word)
    assert judge(others) == ("contradicted" if word == "supported" else "supported")


def test_claims_are_judged_on_the_definition_with_the_official_codes_beside():
    shared = {"dataset": "cifar10", "fraction": 0.005}
    arms = {"defined": ({}, -3.0), "official": (OFFICIAL["lcmat-s"], 3.0)}
    records = [make_record(30.0 + s, method="uniform", seed=s, **shared) for s in range(5)]
    for options, gain in arms.values():
        records += [make_record(30.0 + s + gain + s / 50, seed=s, **shared, **options) for s in range(5)]
    shown = accounts(*records)
    claim = next(each for each in assess_claims(shown.comparison, shown.current) if each.claim.name == "uniform")
    assert [interval.mean for interval in claim.matched["interval"]] == pytest.approx([-2.96])
    assert [interval.mean for interval in claim.official["interval"]] == pytest.approx([3.04])
    assert (claim.verdict, claim.official_verdict) == ("contradicted", "not decided")


def test_claims_about_guessed_settings_are_shown_and_not_judged():
    tested = {each.claim.name: each for each in assess_claims(EMPTY, accounts().current)}
    guessed = {"condensation", "condensation-architectures", "continual"}
    assert {name for name, each in tested.items() if each.unjudged} == guessed
    shown = replace(tested["condensation"], matched=differences_of((1.0, 2.0)))
    assert shown.verdict == "not comparable"


def test_stale_runs_bear_on_no_claim():
    records = [*make_sweep(fractions=(0.01,), rhos=(0.1,)), make_record(99.0, fingerprint="f" * 16, seed=7)]
    assert set(accounts(*records).current["key"]) == {record.key for record in records[:-1]}


def test_both_runs_of_a_pair_share_the_precision_that_most_pairs_share():
    """Uniform selection has as many seeds in both, and LCMat-S more in half precision; equal numbers mean float32."""
    made = {
        (method, precision): [make_record(value + s, method=method, seed=s, precision=precision) for s in range(seeds)]
        for method, precision, value, seeds in (
            ("uniform", "float32", 50.0, 4),
            ("uniform", "bfloat16", 60.0, 4),
            ("craig", "float32", 52.0, 2),
            ("craig", "bfloat16", 63.0, 3),
        )
    }
    for seeds, mean, n in ((3, 3.0, 3), (2, 2.0, 2)):
        runs = report.runs_frame([r for each in made.values() for r in each if "craig" not in str(r) or r.seed < seeds])
        (row,) = label_differences(runs, [("Craig", "Uniform")], alike=ALIKE).to_dict("records")
        assert (row["interval"].mean, row["interval"].n) == (mean, n)
    assert len(label_differences(runs, [("Craig", "Uniform")])) == 2


def test_each_claim_has_a_card_which_says_not_run_without_runs():
    text = claims_html(assess_claims(EMPTY, report.runs_frame([])), "claims")
    assert text.count("<section id=") == text.count(">not run<") == len(CLAIMS)
    assert "<svg" not in text
    linked = set(re.findall(r'href="\.\./(tables/[\w-]+)\.html"', text))
    contents = (Path(__file__).parents[1] / "_toc.yml").read_text().split()
    assert all(f"book/{page}" in contents for page in linked)
    assert {"tables/table-1", "tables/figure-3", "tables/table-4"} <= linked


def test_a_card_draws_each_comparison_to_scale():
    intervals = [Interval(-2.0, -4.0, 0.0, 3), Interval(1.0, math.nan, math.nan, 1)]
    strip = interval_strip(intervals, "Differences")
    first, second = re.findall(r'<line x1="([0-9.]+)" y1="[0-9.]+" x2="([0-9.]+)"[^>]*class="range"', strip)
    assert [float(x) for x in (*first, *second)] == pytest.approx([149.4, 149.4, 2.4, 120.0])
    assert "1 of 2 above zero" in strip


def test_every_shipped_variant_is_paired_with_its_definition():
    pairs = shipped_pairs()
    assert all(words for words in pairs.values())
    titles = {defined.partition(",")[0] for _, defined in pairs}
    assert {"LCMat-S", "Craig", "GradMatch", "Glister", "AdaCore", "Herding"} <= titles
    default = f"LCMat-S, ρ = {METHODS['lcmat-s'].options['rho']:g}"
    assert default in {defined for _, defined in pairs}


@pytest.mark.parametrize(
    ("means", "word"),
    [
        ((2.0,), "as shipped"),
        ((-2.0,), "as defined"),
        ((2.0, -2.0), "as defined (mixed)"),
        ((0.0,), "as defined (no difference shown)"),
        ((), "not run"),
    ],
)
def test_recommendations_follow_the_rule(means, word):
    assert recommend(differences_of(means)) == word


def test_a_defect_is_worth_shipped_minus_defined():
    records = [
        make_record(value + 0.1 * seed * bool(options), method="herding", seed=seed, **options)
        for seed in range(4)
        for value, options in ((60.0, {}), (50.0, {"official_order": True}))
    ]
    differences = defect_differences(report.runs_frame(records))
    assert [interval.mean for interval in differences["interval"]] == pytest.approx([-9.85])
    found = recommendations(differences)
    assert {word for (_, defined), word in found.items() if defined == "Herding"} == {"as defined"}
    assert Counter(found.values()) == {"as defined": 1, "not run": len(found) - 1}


def test_precisions_are_compared_seed_by_seed_with_all_else_the_same():
    low, single = [19.0, 21.0, 20.0, 30.0], [18.0, 19.0, 19.0]
    common = {"dataset": "cifar10", "method": "uniform", "fraction": 0.001}
    records = [
        *(make_record(v, seed=seed, precision="bfloat16", evaluate_every=50, **common) for seed, v in enumerate(low)),
        *(make_record(v, seed=seed, precision="float32", **common) for seed, v in enumerate(single)),
        make_record(99.0, precision="float32", width=16, **common),
        make_record(99.0, precision="float32", **{**common, "fraction": 0.005}),
    ]
    runs = report.runs_frame(records)
    ((words, difference),) = precision_differences(runs).items()
    assert words == "Uniform, CIFAR-10, ResNet-18, width 64, 0.1 %"
    theirs = stats.ttest_rel(low[:3], single).confidence_interval()
    assert (difference.mean, difference.low, difference.high) == pytest.approx((4 / 3, *theirs))
    assert precision_differences(runs.assign(stale=runs["width"] == 64)) == {}


BROWSER = Path("/usr/bin/chromium")


@pytest.mark.skipif(not BROWSER.exists(), reason=f"no browser at {BROWSER}")
def test_tables_are_sorted_and_filtered_by_keyboard_from_a_file(tmp_path):
    from playwright.sync_api import sync_playwright

    static = ROOT / "book/_static"
    page = tmp_path / "page.html"
    script = (static / "report-tables.js").as_uri()
    page.write_text(f'<!doctype html><body>{accounts().show("1").data}<script src="{script}"></script></body>')
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=str(BROWSER), args=["--no-sandbox"])
        tab = chromium.new_page()
        tab.goto(page.as_uri())
        tab.locator("thead button", has_text="Paper").focus()
        tab.keyboard.press("Enter")
        means = tab.eval_on_selector_all("tbody", "bodies => bodies.map(b => Number(b.rows[0].cells[3].dataset.value))")
        assert means == sorted(PUBLISHED.loc[PUBLISHED["table"] == "1", "mean"])
        assert tab.locator("th[aria-sort=ascending]").inner_text() == "Paper"
        tab.keyboard.press("Enter")
        assert tab.locator("tbody").first.get_attribute("id") == f"cell-{PUBLISHED['mean'][:184].idxmax()}"
        tab.get_by_label("Rows that contain").fill("lcmat-s cifar100,")
        visible = tab.locator("tbody:visible")
        expected = PUBLISHED.query("table == '1' and dataset == 'cifar100' and method == 'LCMat-S'")
        assert visible.count() == len(expected)
        assert tab.locator("output").inner_text() == f"{len(expected)} of 184 rows"
        tab.get_by_label("with the verdict").select_option("not run")
        assert visible.count() == len(expected)
        chromium.close()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda page: page.replace(">20.42", ">20.43"), "row 2 of '1' does not show Uniform with 20.42"),
        (lambda page: page.replace('id="cell-3"', 'id="cell-9999"'), "184 rows for the 184 numbers of '1', or other"),
        (lambda page: page + '<tbody id="cell-3">', "185 rows for the 184 numbers"),
        (lambda page: page.replace(">LCMat-S</th>", ">LCMat-C</th>"), "does not show LCMat-S"),
    ],
)
def test_a_page_that_lacks_or_changes_a_number_is_refused(change, message, tmp_path):
    page = read_accounts(tmp_path).show("1")
    assert check_page(page, "1") == "All 184 printed numbers are on the page, each once."
    with pytest.raises(ValueError, match=message):
        check_page(HTML(change(page.data)), "1")
