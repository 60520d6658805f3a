"""The page about what was changed after results had been seen, against the history itself."""

import json
import os
import re
import subprocess
from collections import defaultdict

import pytest
from scipy import stats

from lcmat.files.paths import project_folder

PAGE = (project_folder() / "book/report/history.md").read_text()
ANEW, LAST = "3f000d5", "0321bed"
"""The commit that deleted records, and the last one of the first edition."""


def git(*words):
    utc = {**os.environ, "TZ": "UTC"}
    done = subprocess.run(["git", *words], cwd=project_folder(), capture_output=True, text=True, env=utc)
    return done.stdout if done.returncode == 0 else None


pytestmark = pytest.mark.skipif(git("cat-file", "-e", f"{ANEW}^") is None, reason="a copy without the history")


def accuracies(commit):
    """(data set, fraction, radius) -> seed -> accuracies of the records of LCMat-S in a commit."""
    found = defaultdict(lambda: defaultdict(list))
    names = git("ls-tree", "-r", "--name-only", commit, "book/records/selection").split()
    contents = subprocess.run(
        ["git", "cat-file", "--batch"],
        cwd=project_folder(),
        input="".join(f"{commit}:{name}\n" for name in names),
        capture_output=True,
        text=True,
    ).stdout
    for text in re.split(r"^[0-9a-f]{40} blob \d+\n", contents, flags=re.M)[1:]:
        record = json.loads(text)
        run = record["parameters"]
        if run["method"] == "lcmat-s":
            key = (run["dataset"], run["fraction"], run["rho"])
            found[key][run["seed"]].append(record["metrics"]["test_accuracy_percent"])
    return found


def test_the_deleted_results_without_successor_are_listed():
    before, after = accuracies(f"{ANEW}^"), accuracies(LAST)
    rows = re.findall(r"^\| (cifar10|fashion-mnist) \| (\S+) \| (\S+) \| ([0-9., ]+) \| ([0-9., ]+) \|$", PAGE, re.M)
    listed = {
        (data, float(fraction), float(rho)): [[float(v) for v in values.split(", ")] for values in (own, zero)]
        for data, fraction, rho, own, zero in rows
    }
    assert set(listed) == set(before) - set(after)
    for (data, fraction, rho), (own, zero) in listed.items():
        seeds = sorted(before[data, fraction, rho])
        assert [[value] for value in own] == [before[data, fraction, rho][seed] for seed in seeds]
        assert all(value in before[data, fraction, 0.0][seed] for value, seed in zip(zero, seeds, strict=True))
    test = stats.ttest_rel(*listed["cifar10", 0.05, 0.5])
    interval = test.confidence_interval(0.95)
    assert (round(interval.low, 2), round(interval.high, 2), round(test.pvalue, 3)) == (3.34, 5.74, 0.004)


def test_every_commit_is_in_the_history_at_its_date():
    rows = re.findall(r"^\| (\d{4}-\d\d-\d\d \d\d:\d\d) \| `([0-9a-f]{7})` \|", PAGE, re.M)
    assert len(rows) > 8
    for date, commit in rows:
        shown = git("show", "-s", "--date=format-local:%Y-%m-%d %H:%M", "--format=%cd", commit)
        assert shown is not None, commit
        assert shown.strip() == date
        assert git("merge-base", "--is-ancestor", commit, "HEAD") is not None
    assert [date for date, _ in rows] == sorted(date for date, _ in rows)
